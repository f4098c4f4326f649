import { MessageWriter } from './protobuf.js';

const hex = (writer: MessageWriter): string => Buffer.from(writer.finish()).toString('hex');

/** The encodings of the protocol buffers documentation's examples. */
describe('MessageWriter', () => {
  it('writes integers as varints', () => {
    expect(hex(new MessageWriter().integer(1, 150))).toBe('089601');
    expect(hex(new MessageWriter().integer(1, 0))).toBe('0800');
    expect(hex(new MessageWriter().integer(16, 127))).toBe('80017f');
  });

  it('writes text and messages with their lengths', () => {
    expect(hex(new MessageWriter().text(2, 'testing'))).toBe('120774657374696e67');
    expect(hex(new MessageWriter().message(3, new MessageWriter().integer(1, 150)))).toBe('1a03089601');
  });

  it('writes floats little-endian', () => {
    expect(hex(new MessageWriter().float(2, 1))).toBe('150000803f');
  });
});

import { Code } from './codes.js';
import { codeName, isSmartZoneError, SmartZoneError } from './errors.js';

test('an error says what happened, on what, and what to do', () => {
  const error = new SmartZoneError('NO_CHANNEL', 'sensor 0011');
  expect(error.message).toBe('no such channel in this boot (sensor 0011)');
  expect(error).toMatchObject({
    code: 'NO_CHANNEL',
    number: Code.NO_CHANNEL,
    fix: 'none: the sensor makes a new offer',
  });
});

test('numbers of the TA become errors, unknown ones included', () => {
  expect(SmartZoneError.fromNumber(Code.BAD_TAG).code).toBe('BAD_TAG');
  expect(SmartZoneError.fromNumber(9999, 'FRAME')).toMatchObject({ code: 'BAD_REQUEST' });
  expect(SmartZoneError.fromNumber(9999, 'FRAME').message).toContain('unknown code 9999, FRAME');
  expect(codeName(Code.BUSY)).toBe('BUSY');
  expect(codeName(0)).toBeUndefined();
});

test('isSmartZoneError narrows by code', () => {
  const error: unknown = new SmartZoneError('BUSY');
  expect(isSmartZoneError(error)).toBe(true);
  expect(isSmartZoneError(error, 'BUSY', 'BAD_TAG')).toBe(true);
  expect(isSmartZoneError(error, 'BAD_TAG')).toBe(false);
  expect(isSmartZoneError(new Error('BUSY'))).toBe(false);
});

/* Jest prints a file's tests when the file has ended; an emulated machine takes half an hour until then. */
const began = Date.now();
beforeEach(() => {
  const seconds = Math.round((Date.now() - began) / 1000);
  process.stderr.write(`${seconds} s: ${expect.getState().currentTestName}\n`);
});

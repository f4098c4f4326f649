import jestRunner from 'jest-runner';

/** Jest's runner, for one file after the other, when the files of other runners are done. */
export default class OneAtATime extends jestRunner {
  isSerial = true;
}

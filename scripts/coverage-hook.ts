// What mocha is made to load for coverage: builds the contracts with counters in them, in the process that will run the
// tests, since Hardhat keeps in memory what the counters stand for; and writes the report when the tests are done.

import hre from 'hardhat'

await hre.tasks.getTask('build').run({ force: true, noTests: true, quiet: true })

export const mochaHooks = {
  async afterAll() {
    await hre.hooks.runHandlerChain('test', 'onTestWorkerDone', ['mocha'], async () => {})
    await hre.hooks.runHandlerChain('test', 'onTestRunDone', ['mocha'], async () => {})
  },
}

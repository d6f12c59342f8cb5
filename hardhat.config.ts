import hardhatNetworkHelpers from '@nomicfoundation/hardhat-network-helpers'
import hardhatViem from '@nomicfoundation/hardhat-viem'
import hardhatViemAssertions from '@nomicfoundation/hardhat-viem-assertions'
import { defineConfig } from 'hardhat/config'

export default defineConfig({
  plugins: [hardhatNetworkHelpers, hardhatViem, hardhatViemAssertions],
  solidity: {
    version: '0.8.37',
    path: new URL('./node_modules/solc/soljson.js', import.meta.url).pathname,
    settings: {
      viaIR: true,
      optimizer: { enabled: true, runs: 1_000_000 },
      evmVersion: 'prague',
      outputSelection: { '*': { '*': ['storageLayout'] } },
    },
  },
  // Short enough for every run; `npm run torture` asks for more. The file is the code of Permit2.
  test: {
    solidity: {
      fsPermissions: { readFile: ['contracts/test/permit2.json'] },
      fuzz: { runs: 64 },
      invariant: { runs: 12, depth: 50, failOnRevert: true },
    },
  },
  networks: { default: { type: 'edr-simulated', hardfork: 'prague' } },
})

// A local chain as a process of its own: Hardhat's EDR behind JSON-RPC on the loopback.

import { once } from 'node:events'
import { network } from 'hardhat'

const [, , port = '0'] = process.argv
const server = await network.createServer('default', '127.0.0.1', Number(port))
const { address, port: chosen } = await server.listen()
process.stdout.write(`${JSON.stringify({ listening: `http://${address}:${chosen}` })}\n`)
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
await server.close()
process.exit(0)

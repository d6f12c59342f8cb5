// What can be typed: the commands with their arguments and options.

import { Command, InvalidArgumentError, Option } from 'commander'
import * as audit from './audit-commands.ts'
import * as channel from './channel-commands.ts'
import type { QuoteOptions } from './creator-commands.ts'
import * as creator from './creator-commands.ts'
import * as exit from './exit-commands.ts'
import type { Session } from './session.ts'
import type { GlobalOptions } from './settings.ts'
import { status } from './status-command.ts'
import type { Report } from './terminal.ts'
import * as tips from './tip-commands.ts'
import * as webhook from './webhook-commands.ts'

/** How a chosen command is carried out. */
export type Runner = (
  options: GlobalOptions,
  command: (session: Session) => Promise<Report>,
) => Promise<void>

type Given<T = object> = GlobalOptions & T

const deploymentOption = [
  '--deployment <file>',
  'where the contracts are: for leaving without the hub and without this wallet’s folder',
] as const
const currencyOption = ['--currency <code>', 'the amount is in this currency, such as KRW'] as const
const listed = 20

/** The parser. `confirm` asks the person at the terminal before money leaves. */
export function createProgram(run: Runner, confirm: creator.Confirm): Command {
  const program = new Command('jandon')
    .description('Tip from one deposit, with proof. Amounts are in units of the token: 5, 0.05')
    .option('--json', 'print exactly one line of JSON on stdout')
    .option('--hub <url>', 'the hub (JANDON_HUB; else the one that "npm start" runs)')
    .option('--rpc <url>', 'an RPC endpoint of its chain (JANDON_RPC)')
    .option('--as <wallet>', 'a development wallet: you, fan, busker, painter')
    .option('--key-file <path>', 'a file with the private key of the wallet (or JANDON_KEY)')
    .option('--home <folder>', 'where vouchers and receipts are kept')
    .option('--hub-key <address>', 'the receipt key to trust, instead of the one first seen')
  program
    .command('dev')
    .description('run a local chain, a hub and a bank, and one visible round')
    .allowUnknownOption()
    .argument('[options...]')
  addOperatorCommands(program)
  addChannelCommands(program, run)
  addTipCommands(program, run)
  addCreatorCommands(program, run, confirm)
  addWebhookCommands(program, run)
  program
    .command('status')
    .description('see how everything stands, and send again what had no answer')
    .action((given: Given) => run(given, status))
  for (const command of program.commands) mergeGlobals(command)
  return program
}

/** For the list of commands; `main.ts` hands them over before anything is parsed. */
function addOperatorCommands(program: Command) {
  const operators = [
    ['backup', 'for operators: back a running hub up, or verify a backup'],
    ['restore', 'for operators: restore a backup, or see what is missing after it'],
    ['reconcile', 'for operators: let money leave again after a restore'],
    ['claim', 'for operators: claim and credit now, or see with --dry-run what would be and why'],
    [
      'audit',
      'for operators: sign what is owed, compare it with what there is, prove it to a creator',
    ],
    ['key', 'for operators: make a key, keep it in a keystore file, or see whose it is'],
    ['tower', 'for operators: run a watchtower, which claims when the hub does not'],
  ] as const
  for (const [name, description] of operators) {
    program.command(name).description(description).allowUnknownOption().argument('[options...]')
  }
}

function addChannelCommands(program: Command, run: Runner) {
  program
    .command('open')
    .description('open a channel with a deposit, without gas')
    .requiredOption('--deposit <amount>', 'how much to deposit')
    .option(...currencyOption)
    .action((given: Given<{ deposit: string; currency?: string }>) =>
      run(given, (session) => channel.open(session, given)),
    )
  program
    .command('top-up')
    .description('add to the open channel, without gas')
    .argument('<amount>')
    .option(...currencyOption)
    .action((amount: string, given: Given<{ currency?: string }>) =>
      run(given, (session) => channel.topUp(session, amount, given)),
    )
  program
    .command('balance')
    .description('see what is in the channel, in the wallet, and what a creator has')
    .action((given: Given) => run(given, channel.balance))
  program
    .command('refund')
    .description('take unspent money back at once, all of it or an amount')
    .argument('[amount]')
    .option(...currencyOption)
    .action((amount: string | undefined, given: Given<{ currency?: string }>) =>
      run(given, (session) => channel.refund(session, amount, given)),
    )
  program
    .command('withdraw')
    .description('take the deposit back alone, without the hub; needs gas and the withdraw delay')
    .argument('[amount]', 'only so much')
    .option('--wait', 'count down until the delay is over, and finish')
    .option(...deploymentOption)
    .action((amount: string | undefined, given: Given<exit.WithdrawOptions>) =>
      run(given, (session) => exit.withdraw(session, amount, given)),
    )
}

function addTipCommands(program: Command, run: Runner) {
  program
    .command('tip')
    .description('tip one creator')
    .argument('<to>', 'a handle such as @busker, or an address')
    .argument('<amount>')
    .option('-m, --message <text>', 'words that go with it')
    .option(...currencyOption)
    .action((to: string, amount: string, given: Given<{ message?: string; currency?: string }>) =>
      run(given, (session) => tips.tip(session, { to, amount, message: given.message }, given)),
    )
  program
    .command('basket')
    .description('tip several creators under one signature: @busker 0.05 @painter 0.10')
    .argument('<pairs...>', 'recipient and amount, in turn')
    .option(...currencyOption)
    .action((pairs: string[], given: Given<{ currency?: string }>) =>
      run(given, (session) => tips.basket(session, pairs, given)),
    )
  program
    .command('history')
    .description('see what was tipped, and how far the money came')
    .option('-n, --limit <count>', 'how many baskets', wholeNumber, listed)
    .action((given: Given<{ limit: number }>) =>
      run(given, (session) => tips.history(session, given)),
    )
  program
    .command('sync')
    .description('present the receipts that a restored hub does not know')
    .action((given: Given) => run(given, tips.sync))
  program
    .command('verify')
    .description('check a receipt or a proof offline, against the hub as first seen')
    .argument('<receipt>', 'the beginning of a basket id of the history, or a JSON file')
    .action((receipt: string, given: Given) =>
      run(given, (session) => tips.verify(session, receipt)),
    )
}

function addCreatorCommands(program: Command, run: Runner, confirm: creator.Confirm) {
  program
    .command('register')
    .description('become a creator: a handle that people can tip')
    .argument('<handle>')
    .argument('[name]', 'the name that people see')
    .action((handle: string, name: string | undefined, given: Given) =>
      run(given, (session) => creator.register(session, handle, name)),
    )
  program
    .command('statement')
    .description('see the tips that came in')
    .option('-n, --limit <count>', 'how many tips', wholeNumber, listed)
    .option('--handle <handle>', 'when it was not registered from here')
    .action((given: Given<{ limit: number; handle?: string }>) =>
      run(given, (session) => creator.statement(session, given)),
    )
  program
    .command('proof')
    .description('check that the newest audit of the hub counts what you are owed')
    .option('--out <file>', 'keep the proof; "verify" checks it again, offline')
    .option('--handle <handle>', 'when it was not registered from here')
    .action((given: Given<{ out?: string; handle?: string }>) =>
      run(given, (session) => audit.proof(session, given)),
    )
  program
    .command('pay')
    .description('pay from the vault to any address, without the hub; needs gas')
    .argument('[to]', 'an address; yours with --from-vault')
    .argument('[amount]', 'how much; all with --from-vault')
    .option('--from-vault', 'take out what is yours')
    .option(...deploymentOption)
    .action((to: string | undefined, amount: string | undefined, given: Given<exit.PayOptions>) =>
      run(given, (session) => creator.pay(session, { to, amount }, given)),
    )
  withDestination(
    program
      .command('quote')
      .description('ask what an amount brings at a bank')
      .argument('<amount>', 'in units of the token'),
  ).action((amount: string, given: Given<QuoteOptions>) =>
    run(given, (session) => creator.quote(session, amount, given)),
  )
  withDestination(
    program
      .command('cashout')
      .description('cash out to a bank: a quote that was asked for, or an amount')
      .argument('<quote-or-amount>', 'the id of a quote, or an amount in units of the token'),
  )
    .option('-y, --yes', 'take the quote without asking')
    .action((which: string, given: Given<QuoteOptions & { yes?: boolean }>) =>
      run(given, (session) => creator.cashOut(session, which, { ...given, confirm })),
    )
  program
    .command('payouts')
    .description('see the payouts, or one of them')
    .argument('[payout]', 'the id or its beginning')
    .action((payout: string | undefined, given: Given) =>
      run(given, (session) => creator.payouts(session, payout)),
    )
}

function addWebhookCommands(program: Command, run: Runner) {
  const webhooks = program
    .command('webhooks')
    .description('have the hub tell a URL what happened, signed by Standard Webhooks')
  webhooks
    .command('add')
    .description('register a URL; the secret is shown once')
    .argument('<url>')
    .option('--events <types>', 'only these, such as tip,credited')
    .action((url: string, given: Given<{ events?: string }>) =>
      run(given, (session) => webhook.add(session, url, given)),
    )
  webhooks
    .command('list')
    .description('see the webhooks and how their deliveries are')
    .action((given: Given) => run(given, webhook.list))
  withWebhook(webhooks, 'remove', 'end a webhook').action((id: string, given: Given) =>
    run(given, (session) => webhook.remove(session, id)),
  )
  withWebhook(webhooks, 'rotate', 'get a new secret; the old one is good for a while too').action(
    (id: string, given: Given) => run(given, (session) => webhook.rotate(session, id)),
  )
  withWebhook(webhooks, 'dead', 'see the events that were given up')
    .option('-n, --limit <count>', 'how many events', wholeNumber, listed)
    .option('--cursor <event>', 'go on after this one')
    .action((id: string, given: Given<{ limit: number; cursor?: string }>) =>
      run(given, (session) => webhook.dead(session, id, given)),
    )
  withWebhook(webhooks, 'replay', 'have an event sent again, or all from it to another')
    .argument('<event>', 'the webhook-id of a delivery, or the event of a dead letter')
    .option('--to <event>', 'the last event, included')
    .option('--all', 'all from this one on')
    .action((id: string, from: string, given: Given<{ to?: string; all?: boolean }>) =>
      run(given, (session) => webhook.replay(session, id, { ...given, from })),
    )
  withWebhook(webhooks, 'test', 'send a test at once').action((id: string, given: Given) =>
    run(given, (session) => webhook.test(session, id)),
  )
}

function withWebhook(webhooks: Command, name: string, does: string): Command {
  return webhooks.command(name).description(does).argument('<id>', 'the id or its beginning')
}

function withDestination(command: Command): Command {
  return command
    .option('--currency <code>', 'the currency to be paid in, such as KRW')
    .option('--bank <code>', 'the bank, in Korea its 3 digits')
    .option('--account <number>', 'the account, digits only')
    .option('--name <name>', 'whose account it is')
    .option('--rail <id>', 'the way to the bank; without it the first that pays the currency')
    .addOption(
      new Option('--field <name=value>', 'a further field that the rail asks for').argParser(
        (pair: string, before: string[] | undefined) => [...(before ?? []), pair],
      ),
    )
}

/** Hands the options of the program to the command's action, which gets them as one object with its own. */
function mergeGlobals(command: Command) {
  command.hook('preAction', (_, actionCommand) => {
    for (const [name, value] of Object.entries(actionCommand.optsWithGlobals())) {
      actionCommand.setOptionValue(name, value)
    }
  })
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Give a whole number above zero.')
}

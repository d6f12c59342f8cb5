// Bugs with names, which `npm run torture -- --plant <name>` puts into a copy of the contracts. A campaign that does not
// find them proves nothing. `find` must occur exactly once: a plant whose place is gone must be planted anew.

/** A bug: in `file`, `find` is replaced by `put`. */
export type Plant = { file: string; find: RegExp; put: string }

const channels = 'PaymentChannels.sol'
const vault = 'CreatorVault.sol'
const account = 'HubAccount.sol'
const permit2 = 'collectors/Permit2DepositCollector.sol'

export const plants: Readonly<Record<string, Plant>> = {
  'settled-uncounted': { file: channels, find: /totals\.totalSettled = totalClaimed;/, put: '' },
  'claim-unsigned': {
    file: channels,
    find: /_checkVoucherSignature\([^;]*row\.signature\s*\);/,
    put: '',
  },
  'claim-above-maximum': {
    file: channels,
    find: /if \(totalClaimed > (row\.voucher\.)?maxClaimableAmount\)(?= \{)/,
    put: 'if (false)',
  },
  'claim-total-in-event': {
    file: channels,
    find: /(?<=emit Claimed\(channelId, msg\.sender, amount, )totalClaimed(?=\);\n {4}\}\n\n {4}\/\/\/ @dev Returns what the row)/,
    put: 'amount',
  },
  'claim-error-values': {
    file: channels,
    find: /(?<=ClaimAboveMaximum\(channelId, )totalClaimed, (row\.voucher\.)?maxClaimableAmount/,
    put: 'row.voucher.maxClaimableAmount, totalClaimed',
  },
  'packed-unsigned': {
    file: channels,
    find: /if \((!_isRowSigned\([^)]*\)|row\.signer\([^)]*\) != payerAuthorizer)\)/,
    put: 'if (false)',
  },
  'packed-above-balance': {
    file: channels,
    find: /totalClaimed = _min\(totalClaimed, channel\.balance\);|if \(totalClaimed > balance\) totalClaimed = balance;/,
    put: '',
  },
  'packed-uncounted': {
    file: channels,
    find: /receivers\[receiver\]\[token\]\.totalClaimed \+= claimed;/,
    put: '',
  },
  'ticks-unsigned': {
    file: channels,
    find: /_checkVoucherSignature\([^;]*tickClaim\.signature\s*\);/,
    put: '',
  },
  'ticks-one-beyond': {
    file: channels,
    find: /tickClaim\.ticks > terms\.maxTicks(?=\))/,
    put: 'tickClaim.ticks > terms.maxTicks + 1',
  },
  'ticks-above-worth': {
    file: channels,
    find: /tickClaim\.totalClaimed > worth/,
    put: 'tickClaim.totalClaimed > worth + terms.tickAmount',
  },
  'ticks-added-up': {
    file: channels,
    find: /uint128 totalClaimed = tickClaim\.totalClaimed;/,
    put: 'uint128 totalClaimed = claimed + tickClaim.totalClaimed - tickClaim.terms.baseAmount;',
  },
  'ticks-of-any-chain': { file: channels, find: /if \(end != terms\.root\)/, put: 'if (false)' },
  'ticks-of-any-base': {
    file: 'TickChains.sol',
    find: /mstore\(add\(link, 0x40\), base\)/,
    put: 'mstore(add(link, 0x40), 0)',
  },
  'permit2-of-any-channel': {
    file: permit2,
    find: /(?<=abi\.encode\(_WITNESS_TYPEHASH, )channelId(?=\))/,
    put: 'bytes32(0)',
  },
  'permit2-by-anyone': { file: permit2, find: /if \(msg\.sender != channels\)/, put: 'if (false)' },
  'withdraw-above-available': {
    file: channels,
    find: /_min\(pending\.amount, _available\(channel\)\)/,
    put: 'pending.amount',
  },
  'withdraw-at-once': {
    file: channels,
    find: /if \(block\.timestamp < finalizeAfter\)/,
    put: 'if (false)',
  },
  'withdraw-stays-pending': {
    file: channels,
    find: /\n {8}delete pendingWithdrawals\[channelId\];/,
    put: '',
  },
  'refund-replayed': { file: channels, find: /\+\+refundNonce\[channelId\];/, put: '' },
  'refund-by-anyone': {
    file: channels,
    find: /_checkReceiverSide\(config\);(?=\n {8}if \(amount == 0\))/,
    put: '',
  },
  'refund-beside-withdrawal': {
    file: channels,
    find: /else pending\.amount -= amount;/,
    put: '',
  },
  'credit-above-held': { file: vault, find: /if \(newOwed > held\)/, put: 'if (false)' },
  'credit-by-anyone': { file: vault, find: /if \(msg\.sender != hub\)/, put: 'if (false)' },
  'payment-uncounted': { file: vault, find: /totals\.paid = newPaid;/, put: '' },
  'payment-replayed': { file: vault, find: /nonceUsed\[account\]\[nonce\] = true;/, put: '' },
  'payment-expired': { file: vault, find: /if \(block\.timestamp > deadline\)/, put: 'if (false)' },
  'operator-stays': { file: account, find: /\n {8}operator = newOperator;/, put: '' },
  'claimer-refunds': {
    file: account,
    find: /selector != IPaymentChannels\.settle\.selector/,
    put: 'selector != IPaymentChannels.settle.selector && selector != IPaymentChannels.refund.selector',
  },
}

/** The source with the bug in it. Throws when its place is not there exactly once. */
export function planted(source: string, { file, find, put }: Plant): string {
  const places = source.match(new RegExp(find, 'g'))?.length ?? 0
  if (places !== 1) throw new Error(`${find} occurs ${places} times in ${file}, not once`)
  return source.replace(find, put)
}

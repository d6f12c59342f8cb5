// What a payment file says, before it is XML: who pays whom, how much, through which banks.

import type { Currency } from '#protocol/amount.ts'

/** An account: an IBAN, or any other number by which its bank knows it. */
export type BankAccount = { iban: string } | { other: string }

/**
 * A bank: its BIC, or its number in a clearing system.
 *
 * A `clearingSystem` of five letters is a code of the ISO 20022 external list (`JPZGN`); another one is the system's own
 * name (`KFTC`).
 */
export type BankAgent = { bic: string } | { clearingSystem: string; memberId: string }

/** A postal address in parts. Lines of free text are not accepted by banks any more, so there is no field for them. */
export type PostalAddress = {
  streetName?: string
  buildingNumber?: string
  postCode?: string
  townName: string
  /** ISO 3166-1 alpha-2. */
  country: string
}

export type Party = {
  name: string
  account: BankAccount
  agent: BankAgent
  address?: PostalAddress
}

export type CreditTransfer = {
  /** The payout's attempt; one that the bank has seen is never paid again. `[A-Za-z0-9]{1,35}`. */
  endToEndId: string
  /** Minor units of `currency`, above zero. */
  amount: bigint
  currency: Currency
  creditor: Party
  /** Free text for the payee's statement, at most 140 characters. */
  remittance?: string
}

export type PaymentFile = {
  /** What a domestic bank takes differs: `korea` is won, account numbers and clearing system members only. */
  profile: 'iso' | 'korea'
  /** `[A-Za-z0-9]{1,35}`, never used for another file. */
  messageId: string
  createdAt: Date
  /** `YYYY-MM-DD` in the bank's own calendar. */
  executionDate: string
  debtor: Party
  transfers: readonly CreditTransfer[]
}

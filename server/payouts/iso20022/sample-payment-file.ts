// A payment file that is right in every field, for tests to change one of.

import type { CreditTransfer, Party, PaymentFile } from './payment-order.ts'

/** The customer account that the bank simulator opens when nothing else is said. */
export const hubAccount = '11000000000001'

export const sampleDebtor: Party = {
  name: 'jandon hub',
  account: { other: hubAccount },
  agent: { clearingSystem: 'KFTC', memberId: '088' },
}

export const sampleCreditor: Party = {
  name: '홍길동',
  account: { other: '1002123456789' },
  agent: { clearingSystem: 'KFTC', memberId: '020' },
  address: {
    streetName: '세종대로',
    buildingNumber: '110',
    postCode: '04524',
    townName: '서울',
    country: 'KR',
  },
}

export function sampleTransfer(changes: Partial<CreditTransfer> = {}): CreditTransfer {
  return {
    endToEndId: 'PAYOUT1A1',
    amount: 12_340n,
    currency: 'KRW',
    creditor: sampleCreditor,
    remittance: 'jandon 정산',
    ...changes,
  }
}

export function samplePaymentFile(changes: Partial<PaymentFile> = {}): PaymentFile {
  return {
    profile: 'korea',
    messageId: 'FILE1',
    createdAt: new Date('2026-01-02T03:04:05.678Z'),
    executionDate: '2026-01-02',
    debtor: sampleDebtor,
    transfers: [sampleTransfer()],
    ...changes,
  }
}

import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { createTerminal, durationText, table } from './terminal.ts'

describe('createTerminal', () => {
  it('prints lines for people, and one line of JSON for scripts', () => {
    const report = { json: { amount: 5n }, lines: ['one', 'two'] }
    const people = spoken({ json: false })
    people.terminal.report(report)
    const scripts = spoken({ json: true })
    scripts.terminal.report(report)
    assert.deepEqual([people.out(), scripts.out()], ['one\ntwo\n', '{"amount":"5"}\n'])
  })

  it('does not let a text from elsewhere steer the terminal', () => {
    const { terminal, out } = spoken({ json: false })
    terminal.report({ json: {}, lines: ['\u001b[2Jgreat\nsong\u202e'] })
    assert.equal(out(), '\ufffd[2Jgreat\ufffdsong\ufffd\n')
  })

  it('says nothing about work that is quick', async () => {
    const { terminal, err } = spoken({ json: false })
    assert.equal(await terminal.during('working', async () => 7), 7)
    assert.equal(err(), '')
  })

  it('takes errors to stderr for people and to stdout for scripts', () => {
    const failure = {
      code: 'x',
      detail: 'it failed',
      action: 'Do.',
      values: {},
      exitCode: 1,
    } as const
    const people = spoken({ json: false })
    people.terminal.fail(failure)
    const scripts = spoken({ json: true })
    scripts.terminal.fail(failure)
    assert.deepEqual([people.out(), people.err()], ['', 'It failed.\nDo.\n'])
    assert.equal(JSON.parse(scripts.out()).error.code, 'x')
  })
})

describe('table', () => {
  it('makes columns as wide as their widest cell, counting Korean letters twice', () => {
    const rows = [
      ['a', 'b', 'c'],
      ['고마워', 'bb', ''],
    ]
    assert.deepEqual(table(rows), ['a       b   c', '고마워  bb'])
  })
})

describe('durationText', () => {
  it('names the two largest units', () => {
    const texts = [0, 59.2, 899, 3_600, 90_061].map(durationText)
    assert.deepEqual(texts, ['0 s', '1 min', '14 min 59 s', '1 h', '1 d 1 h'])
  })
})

function spoken({ json }: { json: boolean }) {
  const stdout = textStream()
  const stderr = textStream()
  const terminal = createTerminal({ json, stdout, stderr })
  return { terminal, out: () => stdout.text, err: () => stderr.text }
}

function textStream() {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text.text += chunk
      done()
    },
  })
  const text = Object.assign(stream, { text: '', isTTY: false })
  return text
}

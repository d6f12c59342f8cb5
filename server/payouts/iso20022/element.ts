// Reading a document that has already been validated: what its schema demands is there, and the rest may be absent.

import assert from 'node:assert/strict'
import { XmlElement } from 'libxml2-wasm'

/** All child elements of that name, in document order. */
export function children(parent: XmlElement, name: string): XmlElement[] {
  const found: XmlElement[] = []
  for (let node = parent.firstChild; node !== null; node = node.next) {
    if (node instanceof XmlElement && node.name === name) found.push(node)
  }
  return found
}

/** All elements at the end of a path of names, through every branch of it. */
export function descend(parent: XmlElement, ...path: string[]): XmlElement[] {
  return path.reduce(
    (reached, name) => reached.flatMap((element) => children(element, name)),
    [parent],
  )
}

/** The first element at the end of a path of names. */
export function find(parent: XmlElement, ...path: string[]): XmlElement | undefined {
  return descend(parent, ...path)[0]
}

/** The text at the end of a path of names, as it stands in the document. */
export function textAt(parent: XmlElement, ...path: string[]): string | undefined {
  return find(parent, ...path)?.content
}

/** The element at the end of a path that the schema demands; its absence is a bug, not a refusal. */
export function demand(parent: XmlElement, ...path: string[]): XmlElement {
  const element = find(parent, ...path)
  assert(
    element,
    `${path.join('/')} is absent from <${parent.name}> although the schema demands it`,
  )
  return element
}

/** The text at the end of a path that the schema demands. */
export function demandText(parent: XmlElement, ...path: string[]): string {
  return demand(parent, ...path).content
}

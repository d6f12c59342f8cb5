export async function playFaults(..._: unknown[]) {}

// Transfers once more if programs changed the sending side meanwhile. That is usual; the second transfer tells whether it goes on.
import type { TransferOutcome } from "./request.ts";

/** Transfers, and once more if `isWorthIt` says so of the first outcome. What arrived is counted together. */
export async function transferTwice(
  transfer: (turn: "first" | "second") => Promise<TransferOutcome>,
  isWorthIt: (first: TransferOutcome) => boolean,
): Promise<TransferOutcome> {
  const first = await transfer("first");
  if (!isWorthIt(first)) return first;
  const second = await transfer("second");
  const transferred = [...first.transferred ?? [], ...second.transferred ?? []];
  return {
    ...second,
    filesTransferred: first.filesTransferred + second.filesTransferred,
    bytesTransferred: first.bytesTransferred + second.bytesTransferred,
    ...(second.transferred === undefined ? {} : { transferred: [...new Set(transferred)] }),
    deleted: [...first.deleted, ...second.deleted],
    seconds: first.seconds + second.seconds,
  };
}

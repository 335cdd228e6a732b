// Transfers once more if programs changed the sending side during the first transfer, as often happens.
import type { TransferOutcome, TransferRequest } from "./request.ts";

/**
 * Transfers, and once more if `isWorthIt` says so of the first outcome. The second transfer begins with the record of the first: it
 * gets what is to be changed in its request. What arrived is counted together. The second begins in a later second than the first
 * ended, because where times are whole seconds, all that was written in the present one counts as newer. `now`: in milliseconds.
 */
export async function transferTwice(
  transfer: (changes: Pick<TransferRequest, "record"> | undefined) => Promise<TransferOutcome>,
  isWorthIt: (first: TransferOutcome) => boolean,
  now: () => number,
): Promise<TransferOutcome> {
  const first = await transfer(undefined);
  if (!isWorthIt(first)) return first;
  await new Promise((resolve) => setTimeout(resolve, 1000 - now() % 1000));
  const second = await transfer({ record: first.manifest });
  const transferred = [...first.transferred ?? [], ...second.transferred ?? []];
  return {
    ...second,
    filesTransferred: first.filesTransferred + second.filesTransferred,
    bytesTransferred: first.bytesTransferred + second.bytesTransferred,
    ...(second.transferred === undefined ? {} : { transferred: [...new Set(transferred)] }),
    deleted: [...first.deleted, ...second.deleted],
    recordChanged: first.recordChanged || second.recordChanged,
    seconds: first.seconds + second.seconds,
  };
}

// The roots of a transfer: made where they are missing, and refused where one is inside the other.
import { CliError } from "../errors/errors.ts";
import type { TransferRequest } from "./request.ts";

/** Makes the receiving root. Throws a CliError if one of the two is inside the other. */
export async function prepareRoots({ from, to, intent }: TransferRequest): Promise<string> {
  await Deno.mkdir(to, { recursive: true, mode: intent === "push" ? 0o777 : 0o700 });
  const [realFrom, realTo] = await Promise.all([Deno.realPath(from), Deno.realPath(to)]);
  if (`${realFrom}/`.startsWith(`${realTo}/`) || `${realTo}/`.startsWith(`${realFrom}/`)) {
    throw new CliError("refused", `Cannot transfer "${from}" to "${to}": one is inside the other`);
  }
  return realTo;
}

// Runs one transfer in a process of its own, for tests that kill it or take its rights away: the first argument is the
// request in JSON, and stdout gets the outcome in JSON.
import { transferTree } from "../../src/transfer/transfer.ts";
import { testSystem } from "./trees.ts";

const { manifest: _, ...outcome } = await transferTree(JSON.parse(Deno.args[0] ?? "{}"), testSystem());
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(outcome)));

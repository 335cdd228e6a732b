// A transfer in a process of its own, for tests that kill it or take its rights away: the request is the first argument, as
// JSON, and so is the outcome on stdout.
import { transferTree } from "../../src/transfer/transfer.ts";
import { testSystem } from "./trees.ts";

const { manifest: _, ...outcome } = await transferTree(JSON.parse(Deno.args[0] ?? "{}"), testSystem());
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(outcome)));

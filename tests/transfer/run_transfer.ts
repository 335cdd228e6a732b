// A transfer in a process of its own, for tests that kill it: the request is the first argument, as JSON.
import { transferTree } from "../../src/transfer/transfer.ts";
import { testSystem } from "./trees.ts";

await transferTree(JSON.parse(Deno.args[0] ?? "{}"), testSystem());

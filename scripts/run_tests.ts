// Runs the tests: `deno task test [FILE...]`. First it gets the programs they need, last it prints `N passed, N failed, N skipped`.
// With EULER_FILES_TEST_EXECUTABLE=path the end-to-end tests run that executable instead of the source.
import { describePreparation, prepare, tell } from "./prepare.ts";
import { prepareApptainer } from "./prepare_apptainer.ts";
import { prepareClients } from "./prepare_clients.ts";
import { sourceProgram } from "./source_program.ts";
import { addTotals, readTotals, type Totals, totalsLine } from "./test_totals.ts";

const preparation = await prepare("test");
tell(describePreparation(preparation));
tell(await prepareApptainer());
tell(await prepareClients());
if (preparation.missing.length > 0) tell(["The tests that need them are skipped; each is named below."]);

const cwd = new URL("..", import.meta.url);
if (!Deno.env.get("EULER_FILES_TEST_EXECUTABLE")) {
  // The same check as `deno task check`, so that Deno remembers its result for both.
  const check = new Deno.Command(Deno.execPath(), { args: ["task", "--quiet", "check"], cwd, stdin: "null" });
  if (!(await check.spawn().status).success) end({ passed: 0, failed: 1, skipped: [] }, 1);
  // Made once, before several test files need it at the same time; if that fails, each of them will report why.
  await sourceProgram().catch(() => {});
}

const child = new Deno.Command(Deno.execPath(), {
  args: [
    ...["test", "--no-check", "--allow-all", "--no-prompt", "--parallel"],
    ...(Deno.args.length === 0 ? ["tests"] : Deno.args),
  ],
  cwd,
  // Many tests wait for other programs: one file more than there are processors keeps these busy.
  env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(navigator.hardwareConcurrency + 1) },
  stdin: "null",
  stdout: "piped",
  stderr: "piped",
}).spawn();

const [output, , status] = await Promise.all([
  showAndKeep(child.stdout, Deno.stdout),
  showAndKeep(child.stderr, Deno.stderr),
  child.status,
]);
const totals = readTotals(output);
// Deno prints no totals if it ran no tests, because a file doesn't compile, say.
const counted = totals ?? { passed: 0, failed: 0, skipped: [] };
const shown = status.success || counted.failed > 0
  ? counted
  : addTotals(counted, { passed: 0, failed: 1, skipped: [] });
end(shown, status.code);

function end(totals: Totals, code: number): never {
  for (const name of totals.skipped) Deno.stdout.writeSync(new TextEncoder().encode(`skipped: ${name}\n`));
  Deno.stdout.writeSync(new TextEncoder().encode(`${totalsLine(totals)}\n`));
  Deno.exit(code);
}

async function showAndKeep(stream: ReadableStream<Uint8Array>, to: typeof Deno.stdout): Promise<string> {
  let kept = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
    kept += decoder.decode(bytes, { stream: true });
  }
  return kept;
}

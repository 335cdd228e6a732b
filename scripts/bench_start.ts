// Measures how long a job waits if nothing has to be done: `deno task bench:start [TURNS]`. A sync of eight fresh variables and
// a program that does nothing run alternately; the medians and their ratio are printed.
import { median } from "./bench_plot.ts";
import { compile } from "./compile.ts";
import type { Target } from "./denort.ts";

const VARIABLES = 8;
const turns = Number(Deno.args[0] ?? 40);
const program = await Deno.realPath("dist/euler-files");
const directory = await Deno.makeTempDir({ prefix: "euler-files-bench-" });

try {
  const empty = `${directory}/empty`;
  await Deno.writeTextFile(`${empty}.ts`, "export {};\n");
  const target = `${Deno.build.arch}-unknown-linux-gnu` as Target;
  await compile({ target, output: `${empty}-program`, entry: `${empty}.ts` });
  const [home, scratch] = [`${directory}/home`, `${directory}/scratch`];
  const names = Array.from({ length: VARIABLES }, (_, number) => `BENCH_${number}_HOME`);
  for (const name of names) {
    await Deno.mkdir(`${home}/${name}/hub/model`, { recursive: true });
    await Deno.writeTextFile(`${home}/${name}/hub/model/file`, name);
  }
  await Deno.mkdir(scratch);
  const vars = Object.fromEntries(names.map((name) => [name, { source: `${home}/${name}` }]));
  await Deno.writeTextFile(
    `${home}/.euler-files.json`,
    JSON.stringify({ version: 1, scratch_base: "$SCRATCH", vars }),
  );
  const env = { HOME: home, SCRATCH: scratch, PATH: Deno.env.get("PATH") ?? "" };
  const sync = () => run(program, ["sync", "--quiet"], env);
  await sync();
  const times = { sync: [] as number[], empty: [] as number[] };
  for (let turn = 0; turn < turns; turn++) {
    times.empty.push(await run(`${empty}-program`, [], env));
    times.sync.push(await sync());
  }
  const [ours, least] = [median(times.sync), median(times.empty)];
  const ratio = (ours / least).toFixed(2);
  const line = `${VARIABLES} fresh variables ${ours.toFixed(0)} ms, an empty program ${least.toFixed(0)} ms: ${ratio}`;
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
} finally {
  await Deno.remove(directory, { recursive: true });
}

async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const started = performance.now();
  const options = { args: [...args], env, clearEnv: true, stdout: "null" as const, stderr: "piped" as const };
  const { success, stderr } = await new Deno.Command(command, options).output();
  const milliseconds = performance.now() - started;
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return milliseconds;
}

import { compile } from "./scripts/compile.ts";
await compile({
  target: "x86_64-unknown-linux-gnu",
  output: `/tmp/t/fs/p_${Deno.env.get("VN")}`,
  entry: `${Deno.cwd()}/a_entry.ts`,
});

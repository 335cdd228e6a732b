// What is never copied of one program's cache is not copied either if the cache is a part of a larger copy.
import { deepEqual, equal, ok } from "node:assert/strict";
import { presetExcludes } from "../../src/config/preset_excludes.ts";
import { makeSelection } from "../../src/filter/selection.ts";

/** Whether a file takes part. */
function isCopied(path: string, name: string, vars: Parameters<typeof presetExcludes>[1] = {}): boolean {
  const rules = presetExcludes(name, vars).map((pattern) => ({ action: "exclude" as const, pattern }));
  const selection = makeSelection({ rules, others: "selected", deleteExcluded: false })!;
  const parts = path.split("/");
  return parts.every((_, index) =>
    selection.includes(parts.slice(0, index + 1).join("/"), index + 1 === parts.length ? "other" : "directory")
  );
}

const UNFINISHED = [
  "torch/hub/checkpoints/x.partial",
  "uv/.tmpAbCdEf/x",
  "uv/.lock",
  "pip/http-v2/a/b/x.tmp",
  "modelscope/hub/.lock/x",
  "modelscope/.lock/x",
  "modelscope/hub/._____temp/x",
  "huggingface/datasets/tmpabcdefgh",
];

Deno.test("a variable that holds the caches of many programs excludes what each of them never copies", () => {
  for (const path of UNFINISHED) equal(isCopied(path, "XDG_CACHE_HOME"), false, path);
  for (const path of ["torch/hub/checkpoints/x.pt", "other/x.partial", "x.tmp", "uv/wheels-v5/x", "tmpabcdefgh"]) {
    ok(isCopied(path, "XDG_CACHE_HOME"), path);
  }
});

Deno.test("the source of a variable with another name tells the program, too", () => {
  for (const path of UNFINISHED) equal(isCopied(path, "MY_CACHES", { MY_CACHES: { source: "$HOME/.cache/" } }), false);
  equal(isCopied("hub/x.partial", "MY_TORCH", { MY_TORCH: { source: "/cluster/me/.cache/torch" } }), false);
  ok(isCopied("hub/x.partial", "MY_TORCH", { MY_TORCH: { source: "/cluster/me/torch" } }));
});

Deno.test("a part brings its patterns into the whole, wherever the whole is", () => {
  const vars = {
    ALL: { source: "/data/all" },
    TORCH_HOME: { source: "/data/all/t*" },
    UV_CACHE_DIR: { source: "/data/uv" },
  };
  equal(isCopied("t*/hub/x.partial", "ALL", vars), false);
  for (const path of ["tx/hub/x.partial", "hub/x.partial", ".tmpAbCdEf"]) ok(isCopied(path, "ALL", vars), path);
});

Deno.test("no pattern says what another one says already", () => {
  const patterns = presetExcludes("HF_HOME");
  equal(new Set(patterns).size, patterns.length);
  deepEqual(patterns.filter((pattern) => pattern.endsWith("/*_builder.lock")), []);
});

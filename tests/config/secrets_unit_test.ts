// Where secrets are in a variable's directory: this depends on its name, its path and the other variables.
import { deepEqual, ok } from "node:assert/strict";
import { secretPatterns } from "../../src/config/secrets.ts";
import { compilePattern } from "../../src/filter/pattern.ts";

function patterns(name: string, source?: string, others: Record<string, { source?: string }> = {}): readonly string[] {
  return secretPatterns(name, { ...others, [name]: source === undefined ? {} : { source } });
}

const ANYWHERE = patterns("TORCH_HOME", "~/.cache/torch");

Deno.test("a variable of an unknown tool has only the secrets that may be at the top of any directory", () => {
  deepEqual(ANYWHERE, [
    "/.netrc",
    "/.git-credentials",
    "/auth.json",
    "/credentials",
    "/credentials.json",
    "/credentials.toml",
    "/*key.pem",
  ]);
  deepEqual(patterns("A"), ANYWHERE);
});

Deno.test("a tool's directory is known by its variable, in any location, and by the end of its path", () => {
  for (
    const [name, source] of [["HF_HOME", "/project/hf"], ["MODELS", "$HOME/.cache/huggingface/"], ["HF_HOME"]] as const
  ) {
    deepEqual(patterns(name, source).slice(0, 2), ["/token", "/stored_tokens"], name);
  }
  ok(patterns("X", "~/.ollama").includes("/id_ed25519"));
  ok(!patterns("OLLAMA_MODELS", "~/.ollama/models").includes("/id_ed25519"));
  ok(!patterns("X", "/data/huggingface").includes("/token"));
});

Deno.test("a directory above those of tools has the secrets of these tools and of other variables in it", () => {
  const cache = patterns("XDG_CACHE_HOME", "/project/cache", { HF_HOME: { source: "/project/cache/h[f]" } });
  for (const pattern of ["/huggingface/token", "/gargle/", "/h\\[f]/token"]) ok(cache.includes(pattern), pattern);
  ok(compilePattern("/h\\[f]/token")("h[f]/token", "token", false));
  const home = patterns("EVERYTHING", "~");
  for (
    const pattern of ["/.cache/huggingface/token", "/.ssh/", "/.aws/credentials", "/.config/gcloud/credentials.db"]
  ) {
    ok(home.includes(pattern), pattern);
  }
  ok(!home.some((pattern) => pattern.includes("//")));
});

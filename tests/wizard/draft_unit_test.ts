// The answers of the wizard as a configuration, and which part of it has to be saved.
import { deepEqual, equal } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { checkConfig, type Config } from "../../src/config/config.ts";
import {
  configOf,
  type Draft,
  enabledNames,
  patchOf,
  startDraft,
  withEnabled,
  withRedirected,
  withVariable,
} from "../../src/wizard/draft.ts";

function config(fields: Readonly<Record<string, unknown>>): Config {
  const checked = checkConfig({ version: 1, scratch_base: "$SCRATCH", ...fields });
  if ("config" in checked) return checked.config;
  throw new Error("no configuration");
}

Deno.test("an unchanged draft of a configuration has nothing to save", () => {
  const existing = config({
    vars: { A: { source: "/a", note: "mine" }, B: { source: "~/b", enabled: false } },
    parallel_jobs: 7,
  });
  deepEqual(patchOf(startDraft(existing), existing), { vars: {} });
  deepEqual(configOf(startDraft(existing), existing).parallel_jobs, 7);
});

Deno.test("a variable that is deselected is disabled; one that was never saved is left out", () => {
  const existing = config({ vars: { A: { source: "/a" } } });
  const draft = withEnabled(withVariable(startDraft(existing), "NEW", "/new"), []);
  deepEqual(enabledNames(draft), []);
  deepEqual(patchOf(draft, existing), { vars: { A: { source: "/a", enabled: false } } });
});

Deno.test("a redirected variable is saved without a source, and can be staged again", () => {
  const redirected = withRedirected(startDraft(config({})), "PIP_CACHE_DIR", "scratch");
  const onNode = withRedirected(redirected, "TRITON_CACHE_DIR", "node");
  const vars = {
    PIP_CACHE_DIR: { mode: "redirect", enabled: true },
    TRITON_CACHE_DIR: { mode: "redirect", tier: "node", enabled: true },
  };
  deepEqual(patchOf(onNode, undefined).vars, vars);
  const existing = config({ vars });
  deepEqual(patchOf(startDraft(existing), existing), { vars: {} });
  const staged = withVariable(startDraft(existing), "PIP_CACHE_DIR", "~/.cache/pip");
  deepEqual(patchOf(staged, existing), {
    vars: { PIP_CACHE_DIR: { mode: "stage", source: "~/.cache/pip", enabled: true } },
  });
});

const name = fc.constantFrom("A", "B", "C", "D");
const source = fc.constantFrom("/x", "~/y", "$Z/z");
const variables = fc.dictionary(name, fc.record({ source, enabled: fc.boolean() }));
const answer = fc.oneof(
  fc.tuple(name, source).map(([name, source]) => (draft: Draft) => withVariable(draft, name, source)),
  fc.subarray(["A", "B", "C", "D"]).map((names) => (draft: Draft) => withEnabled(draft, names)),
  fc.nat(9).map((count) => (draft: Draft): Draft => ({
    ...draft,
    settings: { ...draft.settings, parallel_jobs: count + 1 },
  })),
  source.map((scratch_base) => (draft: Draft): Draft => ({ ...draft, scratch_base })),
);

Deno.test("law: what is saved, merged into the existing configuration, gives the answers", () => {
  fc.assert(fc.property(fc.option(variables, { nil: undefined }), fc.array(answer), (vars, answers) => {
    const existing = vars === undefined ? undefined : config({ vars, kept: { x: 1 } });
    const start = existing === undefined ? { ...startDraft(existing), scratch_base: "/s" } : startDraft(existing);
    const draft = answers.reduce((draft, change) => change(draft), start);
    const patch = patchOf(draft, existing);
    const saved = config({ ...existing, ...patch, vars: { ...existing?.vars, ...patch.vars as object } });
    const wanted = configOf(draft, existing);
    deepEqual(enabledNames(startDraft(saved)).sort(), enabledNames(draft).sort());
    for (const name of enabledNames(draft)) equal(saved.vars[name]?.source, wanted.vars[name]?.source);
    for (const name of Object.keys(vars ?? {})) equal(saved.vars[name]?.source, wanted.vars[name]?.source);
    deepEqual([saved.scratch_base, saved.parallel_jobs, saved.kept], [
      wanted.scratch_base,
      wanted.parallel_jobs,
      wanted.kept,
    ]);
  }));
});

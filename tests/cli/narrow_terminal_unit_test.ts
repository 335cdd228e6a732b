// What `diff` and `status` print on a terminal of 60 columns: tables that are too wide become lines, and the terminal cuts no word.
import assert from "node:assert/strict";
import { diff } from "../../src/commands/diff.ts";
import { renderStatus } from "../../src/status/status_text.ts";
import type { Style } from "../../src/contract/command.ts";

const COLUMNS = 60;
const plain = (text: string) => text;
const style: Style = {
  columns: COLUMNS,
  ...{ bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain },
};
const wide: Style = { ...style, columns: 200 };

function refuseWide(text: string | undefined): void {
  for (const line of (text ?? "").split("\n")) assert.ok(line.length <= COLUMNS, line);
}

Deno.test("diff lists a file in a few lines where the table is wider than the terminal", () => {
  const both = { scratch_bytes: 2, source_bytes: 3, scratch_modified: 1.8e9, source_modified: 1.8e9 };
  const file = { path: "hub/models--org--name/config.json", side: "both", change: "conflict", ...both } as const;
  const answer = {
    ...{
      ok: true,
      command: "diff",
      only_vars: [],
      checksum: false,
      filter: [],
      failures: [],
      errors: [],
      warnings: [],
    },
    results: [{ name: "HF_HOME", status: "different", files: [file], unreadable: [] }],
  } as unknown as Parameters<typeof diff.render>[0];
  const request = { verbose: false } as Parameters<typeof diff.render>[2];
  const narrow = diff.render(answer, { stdout: style, stderr: style }, request).stdout;
  refuseWide(narrow);
  assert.match(narrow!, /^ {2}hub\/models--org--name\/config\.json\n {4}both, conflict, 2 B \/ 3 B\n {4}modified /m);
  assert.match(diff.render(answer, { stdout: wide, stderr: wide }, request).stdout!, /^ {2}Where {2}What .* File$/m);
});

Deno.test("status breaks its long lines between words, and the details stay beside their labels", () => {
  const variable = {
    ...{ name: "HF_HOME", source: "/home/ada/.cache/huggingface", scratch: "/scratch/ada/.cache/euler-files/HF_HOME" },
    ...{ source_size: "2.9 MB", scratch_size: "2.9 MB", last_synced: "2s ago", status: "stale", conflicts: 1 },
    ...{ reason: "the source has changed, and 1 file in conflict", unpushed_files: 0, purged_files: 0 },
    outside_links: { count: 0, named: [] },
  };
  const details = {
    ...{ in_this_shell: { value: null }, last_sync: null, unpushed: [], include: [] },
    conflicts: [{ path: "hub/config.json", reason: "changed on both sides" }],
    exclude: Array.from({ length: 24 }, (_, index) => ({ pattern: `*.${index}`, from: "preset" })),
  };
  const answer = {
    ...{ disabled: [], redirected: [], staged_nodes: [], total_scratch_usage: "2.9 MB" },
    cache_root: "/scratch/ada/.cache/euler-files/on/a/longer/path",
  };
  const text = (variables: readonly unknown[]) =>
    renderStatus({ ...answer, variables } as unknown as Parameters<typeof renderStatus>[0], {
      stdout: style,
      stderr: style,
    }).stdout!;
  refuseWide(text([variable]));
  const named = text([{ ...variable, details }]);
  refuseWide(named);
  assert.match(
    named,
    /^ {2}conflicts {3}hub\/config\.json \(changed on both sides\);\n {14}settle with `euler-files resolve/m,
  );
});

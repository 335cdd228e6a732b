// In the documents, links lead to pages and headings that exist, and the commands, options and source files that they name exist.
import assert from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../scripts/bundle.ts";
import { DOCUMENTS } from "../scripts/golden.ts";
import { loadCatalogue } from "../src/cli/app.ts";
import { commandHelp } from "../src/cli/help.ts";

const PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];

async function documents(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const read = async (path: string) => found.set(path, await Deno.readTextFile(`${PROJECT_DIRECTORY}/${path}`));
  for (const path of PAGES) await read(path);
  for await (const { name } of Deno.readDir(`${PROJECT_DIRECTORY}/docs`)) {
    if (name.endsWith(".md")) await read(`docs/${name}`);
  }
  return found;
}

/** The anchors of a page as code hosts make them. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase());
  return new Set(headings.map((heading) => heading.replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")));
}

Deno.test("every link between documents leads to a file and a heading that exist", async () => {
  const pages = await documents();
  for (const [path, text] of pages) {
    for (const [, target] of text.matchAll(/\]\(((?!https?:)[^)\s]+)\)/g)) {
      const [file, anchor] = target!.split("#") as [string, string | undefined];
      const to = file === "" ? path : new URL(file, `file:///${path}`).pathname.slice(1);
      await Deno.stat(`${PROJECT_DIRECTORY}/${to}`).catch(() => assert.fail(`${path}: ${target} leads to no file`));
      if (anchor === undefined) continue;
      assert.ok(anchorsOf(pages.get(to) ?? "").has(anchor), `${path}: ${target} leads to no heading`);
    }
  }
});

Deno.test("every source file that a document names exists", async () => {
  const files: string[] = ["/main.ts"];
  for (const directory of ["src", "tests", "scripts"]) await collect(directory, files);
  for (const [path, text] of await documents()) {
    for (const [name] of codeOf(text).matchAll(/(?<![\w*…/.-])[\w/]+\.ts\b/g)) {
      assert.ok(files.some((file) => file.endsWith(`/${name}`)), `${path}: there is no ${name}`);
    }
  }
});

async function collect(directory: string, files: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(`${PROJECT_DIRECTORY}/${directory}`)) {
    if (isDirectory) await collect(`${directory}/${name}`, files);
    else files.push(`/${directory}/${name}`);
  }
}

/** The code of a document: blocks, and words between backticks. */
function codeOf(text: string): string {
  return [...text.matchAll(/^```[\s\S]*?^```|`[^`\n]+`/gm)].map(([code]) => code).join("\n");
}

Deno.test("every command and option that a document shows exists", async () => {
  const { commands, groups } = await loadCatalogue();
  const written = [...await documents()].filter(([path]) => !Object.hasOwn(DOCUMENTS, path));
  for (const [path, text] of written) {
    for (const [, shown] of codeOf(text).matchAll(/(?:^|[\s`"($/])(?:euler-files|ef) ([a-z-][^`\n|;"&#)]*)/g)) {
      // `off` is short for `unload`.
      const line = shown!.replace(/^off\b/, "unload");
      const words = line.split(/\s+/).filter((word) => word !== "");
      const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words;
      const known = commands.find(({ name }) => own.slice(0, name.split(" ").length).join(" ") === name);
      const first = own[0] ?? "";
      if (known === undefined) {
        const isOther = Object.hasOwn(groups, first) || /^(--version|--help|-V|-h)$/.test(first);
        assert.ok(isOther || !/^[a-z]+(-[a-z]+)*$/.test(first), `${path}: no command in "euler-files ${line}"`);
        continue;
      }
      for (const word of own) {
        const option = /^--[a-z][a-z-]*/.exec(word)?.[0];
        if (option === undefined) continue;
        const isKnown = commandHelp(known, 100).includes(option);
        assert.ok(isKnown, `${path}: ${known.name} has no option ${option} ("euler-files ${line}")`);
      }
    }
  }
});

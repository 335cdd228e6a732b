// A file's URL in the Python package index that pip is configured to use, without pip, which a machine may lack.

/** The URL of a file and the headers for it. */
export interface IndexFile {
  readonly url: string;
  readonly authorization: Readonly<Record<string, string>>;
}

type Download = (url: string, headers: Readonly<Record<string, string>>) => Promise<Uint8Array>;

const PUBLIC_INDEX = "https://pypi.org/simple";

/** Looks a file up by its name (PyPA: Simple repository API). Throws an Error if the index has no such file. */
export async function findInPythonIndex(name: string, file: string, download: Download): Promise<IndexFile> {
  const index = new URL(await pythonIndex());
  const authorization = takeCredentials(index);
  const page = `${index.href.replace(/\/$/, "")}/${name}/`;
  const text = new TextDecoder().decode(
    await download(page, { ...authorization, accept: "application/vnd.pypi.simple.v1+json, text/html;q=0.1" }),
  );
  const href = linksOf(text).find((link) => new URL(link, page).pathname.endsWith(`/${file}`));
  if (href === undefined) throw new Error(`the Python index has no ${file}`);
  const url = new URL(href, page);
  url.hash = "";
  return { url: url.href, authorization: url.origin === index.origin ? authorization : {} };
}

/** The links in a project's page, which the server sends as JSON or as HTML. */
function linksOf(text: string): readonly string[] {
  if (text.trimStart().startsWith("{")) {
    const { files } = JSON.parse(text) as { files: readonly { url: string }[] };
    return files.map(({ url }) => url);
  }
  return [...text.matchAll(/<a\s[^>]*href="([^"]+)"/gi)].map((match) => (match[1] ?? "").replaceAll("&amp;", "&"));
}

/** The index, found as pip does: the environment, then the configuration files of the user and of the machine. */
async function pythonIndex(): Promise<string> {
  const { PIP_INDEX_URL: given, PIP_CONFIG_FILE: file, XDG_CONFIG_HOME: config, HOME: home } = Deno.env.toObject();
  if (given) return given;
  const files = [file, `${config || `${home}/.config`}/pip/pip.conf`, `${home}/.pip/pip.conf`, "/etc/pip.conf"];
  for (const path of files) {
    const text = path ? await Deno.readTextFile(path).catch(() => "") : "";
    const found = /^\s*index[-_]url\s*[=:]\s*(\S+)/m.exec(text)?.[1];
    if (found !== undefined) return found;
  }
  return PUBLIC_INDEX;
}

/** Removes `user:password@` from the URL, which fetch refuses, and returns the equivalent header. */
function takeCredentials(url: URL): Readonly<Record<string, string>> {
  if (url.username === "") return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = url.password = "";
  return { authorization: `Basic ${btoa(pair)}` };
}

// Reading and checking the configuration. Every job does this from a network file system, so it costs one read.
import { CliError } from "../errors/errors.ts";
import { checkConfig, type Config } from "./config.ts";
import { configPath, faultError, parseJson, readConfigText } from "./config_text.ts";
import { checkSite, type SiteLayers, sitePath, siteProfile, withLayers } from "./site.ts";
import type { AbsolutePath } from "./paths.ts";
import { pathExists } from "../system/existence.ts";

export { configPath, parseJson, readConfigText };

type Environment = Readonly<Record<string, string>>;

/** A configuration after reading and checking. */
export interface ConfigFile {
  readonly path: AbsolutePath;
  readonly text: string;
  /** What the site adds. */
  readonly layers: SiteLayers;
  /** With what the site adds. */
  readonly config: Config;
}

/**
 * What the site says below the user's configuration: one lookup, of its file. Throws a CliError for a file that is faulty, not
 * trusted, or named by EULER_FILES_SITE_CONFIG and missing.
 */
export async function readSiteLayers(env: Environment): Promise<SiteLayers> {
  const profile = siteProfile(env);
  const below = profile === undefined ? [] : [profile];
  const site = sitePath(env);
  // Most sites have no file: every start pays for this one lookup.
  if (site === undefined || (!site.named && !await pathExists(site.path))) return below;
  const text = await readConfigText(site.path).catch((error) => {
    if (!(error instanceof CliError) || error.kind !== "refused") throw error;
    throw new CliError("refused", error.message, {
      hint: "a site's file must be root's or yours: name a copy of your own by EULER_FILES_SITE_CONFIG",
      cause: error,
    });
  });
  if (text !== undefined) return [checkSite(await parseJson(text, site.path), site.path), ...below];
  if (!site.named) return below;
  throw new CliError("not-found", `Cannot find the site's configuration "${site.path}"`, {
    hint: "EULER_FILES_SITE_CONFIG names it: unset the variable, or correct it",
  });
}

/**
 * Reads and checks the configuration. Throws CliErrors: `not-found`, `bad-json` with line and column, `config` for the first
 * fault of a field.
 */
export async function readConfig(path: AbsolutePath, env: Environment = {}): Promise<ConfigFile> {
  const [text, layers] = await Promise.all([readConfigText(path), readSiteLayers(env)]);
  if (text === undefined) {
    throw new CliError("not-found", `Cannot find the configuration "${path}"`, {
      hint: "make one with `euler-files init`",
    });
  }
  return { path, text, layers, config: await parseConfig(text, path, layers) };
}

/** Checks a configuration's text; `path` is for the errors, which are those of {@linkcode readConfig}. */
export async function parseConfig(text: string, path: AbsolutePath, layers: SiteLayers = []): Promise<Config> {
  const value = await parseJson(text, path);
  const checked = checkConfig(withLayers(value, layers));
  if ("config" in checked) return checked.config;
  const { listConfigFaults } = await import("./config_faults.ts");
  throw faultError(listConfigFaults(text, layers).filter(({ severity }) => severity === "error"), path);
}

// The patterns of a variable that are never copied: those of its preset, and of all presets whose directories are inside it. The
// caches of many programs are inside XDG_CACHE_HOME, and a nested variable has no copy of its own (variables/parts.ts). Pure.
import { COMMON_EXCLUDES, type Preset, PRESETS } from "./presets.ts";
import { asPattern, type Sources, written } from "./secrets.ts";

/**
 * The default patterns of a variable. `vars`: the sources of the configured variables, as they are written; the patterns of those
 * inside this one's source are included, too.
 */
export function presetExcludes(name: string, vars: Sources = {}): readonly string[] {
  const source = written(vars[name]?.source);
  const parts = Object.entries(vars).flatMap(([other, variable]) => {
    const inner = written(variable.source);
    if (other === name || source === undefined || inner === undefined || !inner.startsWith(`${source}/`)) return [];
    return below(asPattern(inner.slice(source.length + 1)), patternsOf(other, inner));
  });
  const all = new Set([...patternsOf(name, source), ...parts, ...COMMON_EXCLUDES]);
  // A pattern without a slash at its start is for all directories already.
  const isCovered = (pattern: string) =>
    [...all].some((other) => !other.startsWith("/") && pattern !== other && pattern.endsWith(`/${other}`));
  return [...all].filter((pattern) => !isCovered(pattern));
}

/** The patterns of a variable's preset, and of the presets whose usual directories are inside its own. */
function patternsOf(name: string, source: string | undefined): readonly string[] {
  const own = PRESETS.find((preset) => preset.name === name);
  const path = (own === undefined ? undefined : usualDirectory(own)) ?? knownEndOf(source);
  const inside = PRESETS.flatMap((preset) => {
    const inner = usualDirectory(preset);
    if (preset === own || path === undefined || inner === undefined) return [];
    if (inner === path) return own === undefined ? preset.exclude : [];
    return inner.startsWith(`${path}/`) ? below(inner.slice(path.length + 1), preset.exclude) : [];
  });
  return [...own?.exclude ?? [], ...inside];
}

/** Patterns that match in a directory below as the given ones match in that directory itself. */
function below(directory: string, patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) =>
    pattern.startsWith("/") ? [`/${directory}${pattern}`] : [`/${directory}/${pattern}`, `/${directory}/**/${pattern}`]
  );
}

/** The usual directory of a preset, relative to home. */
function usualDirectory({ usualPath }: Preset): string | undefined {
  if (usualPath === undefined) return undefined;
  const { base, below } = usualPath;
  return [...(base === "cache" ? [".cache"] : []), ...(below === "" ? [] : [below])].join("/");
}

/** The longest usual directory of a preset with which a source ends. */
function knownEndOf(source: string | undefined): string | undefined {
  return PRESETS.flatMap((preset) => usualDirectory(preset) ?? [])
    .filter((path) => source?.endsWith(`/${path}`) === true)
    .toSorted((one, other) => other.length - one.length)[0];
}

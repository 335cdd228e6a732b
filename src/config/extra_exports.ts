// Further variables that are exported together with a managed one. Pure.

type Variables = Readonly<Record<string, { readonly exports?: Readonly<Record<string, string>> | undefined }>>;

/** Exports that cannot all hold: one name with two values, or the name of a variable that is managed itself. */
export function contradictingExports(vars: Variables): { path: readonly string[]; message: string }[] {
  const known = new Map<string, { readonly value: string; readonly by: string }>();
  return Object.entries(vars).flatMap(([variable, { exports = {} }]) =>
    Object.entries(exports).flatMap(([name, value]) => {
      const path = ["vars", variable, "exports", name];
      if (Object.hasOwn(vars, name)) {
        return [{ path, message: `must not be set here: ${name} is a managed variable itself` }];
      }
      const other = known.get(name);
      known.set(name, { value, by: variable });
      if (other === undefined || other.value === value) return [];
      return [{ path, message: `contradicts vars.${other.by}.exports.${name}, which sets another value` }];
    })
  );
}

/** What is exported besides these variables, and for each name the variables that it is exported with. */
export function extraExports(
  vars: Variables,
  names: readonly string[],
): { readonly values: Record<string, string>; readonly owners: Record<string, string[]> } {
  const all = names.flatMap((owner) =>
    Object.entries(Object.hasOwn(vars, owner) ? vars[owner]!.exports ?? {} : {}).map(([name, value]) => ({
      ...{ name, value, owner },
    }))
  );
  const owners = Map.groupBy(all, ({ name }) => name);
  return {
    values: Object.fromEntries(all.map(({ name, value }) => [name, value])),
    owners: Object.fromEntries([...owners].map(([name, each]) => [name, each.map(({ owner }) => owner)])),
  };
}

// Objects of the configuration as valibot schemas, with two corrections: a list is no object, and every name may be used.
import * as v from "valibot";

/** Names that valibot leaves out of objects without an error. Some are names of variables and images as any other. */
const SKIPPED_NAMES = ["__proto__", "prototype", "constructor"];

type ObjectSchema = v.GenericSchema & {
  readonly message: string | undefined;
  /** The fields, if they are known. */
  readonly entries?: v.ObjectEntries;
  /** The schemas of names and values, if the object is a map. */
  readonly key?: v.GenericSchema;
  readonly value?: v.GenericSchema;
};

/** The schema, refusing lists and keeping all names. */
export function jsonObject<Schema extends ObjectSchema>(schema: Schema): Schema {
  return {
    ...schema,
    "~run"(dataset, config) {
      const input: unknown = dataset.value;
      if (Array.isArray(input)) {
        v._addIssue(this, "type", dataset, config);
        return dataset as unknown as v.OutputDataset<never, v.BaseIssue<unknown>>;
      }
      const result = schema["~run"](dataset, config);
      if (typeof input !== "object" || input === null) return result;
      for (const name of SKIPPED_NAMES) {
        if (Object.hasOwn(input, name) && !Object.hasOwn(schema.entries ?? {}, name)) {
          addSkipped(schema, input as Record<string, unknown>, name, result as Result, config);
        }
      }
      return result;
    },
  };
}

interface Result {
  typed: boolean;
  value: Record<string, unknown>;
  issues?: v.BaseIssue<unknown>[];
}

function addSkipped(
  { key, value }: ObjectSchema,
  input: Record<string, unknown>,
  name: string,
  result: Result,
  config: v.Config<v.BaseIssue<unknown>>,
): void {
  const ofName = key?.["~run"]({ typed: false, value: name }, config);
  const ofValue = value?.["~run"]({ typed: false, value: input[name] }, config);
  for (const [origin, checked] of [["key", ofName], ["value", ofValue]] as const) {
    if (checked?.issues === undefined) continue;
    const item: v.ObjectPathItem = { type: "object", origin, input, key: name, value: input[name] };
    const issues = checked.issues.map((issue) => ({ ...issue, path: [item, ...issue.path ?? []] }));
    result.issues = [...result.issues ?? [], ...issues as v.BaseIssue<unknown>[]];
    result.typed = false;
  }
  Object.defineProperty(result.value, name, {
    ...{ value: ofValue === undefined ? input[name] : ofValue.value },
    ...{ writable: true, enumerable: true, configurable: true },
  });
}

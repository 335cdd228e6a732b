// Questions on the terminal. The only user of the prompt library, which is loaded with the first question.
import process from "node:process";
import type { Prompt } from "../contract/command.ts";
import { neutralText } from "./control_characters.ts";
import { CliError, Interrupted } from "../errors/errors.ts";
import type { System } from "../system/system.ts";

/** Whether questions can be asked: an answer is typed on stdin, questions are drawn on stderr. */
export function canAsk(system: System): boolean {
  return system.stdin.isTerminal && system.stderr.isTerminal && !system.env.CI && system.env.TERM !== "dumb";
}

type Clack = typeof import("@clack/prompts");

const plain = (text: string) => neutralText(text, "plain");

function plainOption<Option extends { readonly label: string; readonly hint?: string }>(option: Option): Option {
  const { label, hint } = option;
  return { ...option, label: plain(label), ...(hint === undefined ? {} : { hint: plain(hint) }) };
}

/** Questions on stderr, so that a captured stdout never gets one. Ctrl-C throws `Interrupted`, Esc a CliError `declined`. */
export function terminalPrompt({ stderr }: Pick<System, "stderr">): Prompt {
  // A terminal that was not told its size reports 0 columns; the library would then draw one letter a line.
  if (!process.stderr.columns) Object.defineProperty(process.stderr, "columns", { get: () => stderr.columns });
  const clack = () => import("@clack/prompts");
  const streams = { input: process.stdin, output: process.stderr };
  const answered = async <Value>(ask: (questions: Clack) => Promise<Value>): Promise<Exclude<Value, symbol>> => {
    // The library gives Esc and Ctrl-C the same answer.
    let lastKey: string | undefined;
    const noteKey = (_text: unknown, key: { readonly name?: string } | undefined) => void (lastKey = key?.name);
    const questions = await clack();
    process.stdin.on("keypress", noteKey);
    try {
      const answer = await ask(questions);
      if (typeof answer !== "symbol") return answer as Exclude<Value, symbol>;
    } finally {
      process.stdin.off("keypress", noteKey);
    }
    if (lastKey === "escape") throw new CliError("declined", "Nothing was done: the question was left with Esc");
    throw new Interrupted("SIGINT");
  };
  return {
    text: ({ message, initial, placeholder, check }) =>
      answered(({ text }) =>
        text({
          message: plain(message),
          ...streams,
          ...(initial === undefined ? {} : { initialValue: initial }),
          ...(placeholder === undefined ? {} : { placeholder }),
          ...(check === undefined ? {} : { validate: (answer: string | undefined) => check(answer ?? "") }),
        })
      ),
    confirm: ({ message, initial }) =>
      answered(({ confirm }) => confirm({ message: plain(message), initialValue: initial, ...streams })),
    select: ({ message, options }) =>
      answered(({ select }) =>
        select({
          message: plain(message),
          // deno-lint-ignore no-explicit-any -- clack's option type depends on the value's type
          options: options.map(plainOption) as any,
          ...streams,
        })
      ),
    selectSeveral: ({ message, options, chosen, required }) =>
      answered(({ multiselect }) =>
        multiselect({
          message: plain(message),
          // deno-lint-ignore no-explicit-any -- as above
          options: options.map(plainOption) as any,
          initialValues: [...chosen],
          required,
          ...streams,
        })
      ),
    note: (text, title) =>
      void clack().then(({ note }) =>
        note(plain(text), title === undefined ? title : plain(title), { output: process.stderr })
      ),
  };
}

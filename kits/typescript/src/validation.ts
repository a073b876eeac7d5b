/** The contract's own rules (buf.validate), checked before a handler sees a message. */

import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { Path } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";

import type { BadField } from "./errors.js";

/** Bytes up to which a message is checked to its end. */
const LARGE = 4_096;
const MOST = 20;

const thorough = createValidator();
const brief = createValidator({ failFast: true });

/**
 * Find the fields that break a rule: their proto paths, such as `items[0].quantity`, and what is wrong.
 *
 * At most MOST, since clients refuse an answer whose details are too large; and only the first of a message of more than
 * LARGE bytes, since a hostile one could keep the event loop busy for seconds. Throws where a rule can't be evaluated.
 */
export function violations(schema: DescMessage, message: Message, bytes: number): BadField[] {
  const result = (bytes > LARGE ? brief : thorough).validate(schema, message);
  if (result.kind === "valid") return [];
  if (result.kind === "error") throw result.error;
  return result.violations.slice(0, MOST).map((each) => ({ field: written(each.field), description: each.message }));
}

function written(path: Path): string {
  let text = "";
  for (const step of path) {
    if (step.kind === "field" || step.kind === "oneof") text += text ? `.${step.name}` : step.name;
    else if (step.kind === "list_sub") text += `[${step.index}]`;
    else if (step.kind === "map_sub") text += `[${JSON.stringify(step.key)}]`;
    else text += `[${step.typeName}]`;
  }
  return text;
}

// An address that no view has.
import { empty, link } from "../parts/elements.js";

export const title = () => "Not found";
export function show(root) {
  root.append(
    empty("There is no such view", ""),
    link("/", { class: "button" }, "To the overview"),
  );
  return {};
}

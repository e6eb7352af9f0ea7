// @ts-check
/**
 * How a typed answer is read: the same as `netpath/exercises/answers.py`, and a test holds the two together.
 */

/** @typedef {"choice" | "address" | "number" | "share" | "name"} Form */

const LONGEST = 200;
const CLOSE = 0.005;
/** @type {Record<Form, string>} */
export const EXAMPLES = {
  choice: "the text of an option",
  address: "10.0.0.1",
  number: "3",
  share: "1/3",
  name: "www.example.com",
};
/** @type {Record<Exclude<Form, "choice">, RegExp>} */
const SHAPES = {
  address: /^(\d{1,3}\.){3}\d{1,3}(:\d{1,5})?$/,
  number: /^\d{1,9}$/,
  share: /^(\d{1,6} ?\/ ?\d{1,6}|\d{1,3}(\.\d{1,9})? ?%|[01]?(\.\d{1,9})?)$/,
  name: /^[a-z0-9_.*/:-]+$/,
};

/** @param {string} text */
const tidy = (text) => text.split(/\s+/).filter(Boolean).join(" ");

/** An answer as it is compared, or what is wrong with its form.
 * @param {Form} form @param {string} answer @param {string[]} [options]
 * @returns {{text: string} | {problem: string}}
 */
export function read(form, answer, options = []) {
  if (answer.length > LONGEST) return { problem: `an answer has at most ${LONGEST} characters` };
  let text = tidy(answer);
  if (form === "choice") {
    const found = options.find((each) => tidy(each).toLowerCase() === text.toLowerCase());
    return found === undefined ? { problem: "this is none of the options" } : { text: found };
  }
  text = form === "name" ? text.toLowerCase().replace(/\.+$/, "") : text.toLowerCase();
  if (text && SHAPES[form].test(text) && sound(form, text)) return { text };
  return { problem: `this can't be read as an answer of this form; one would be ${EXAMPLES[form]}` };
}

/** @param {Form} form @param {string} text */
function sound(form, text) {
  if (form === "share") return !/\/ ?0+$/.test(text);
  if (form !== "address") return true;
  const [address, port] = text.split(":");
  return address.split(".").every((part) => Number(part) < 256) && (port === undefined || Number(port) < 65536);
}

/** Whether two answers that were read are the same. @param {Form} form @param {string} one @param {string} other */
export function same(form, one, other) {
  if (form === "share") return Math.abs(share(one) - share(other)) < CLOSE;
  if (form === "number") return Number(one) === Number(other);
  const plain = (/** @type {string} */ text) => text.trim().toLowerCase().replace(/\.+$/, "");
  return plain(one) === plain(other);
}

/** A share between 0 and 1, written as a fraction, a decimal or a percentage. @param {string} text */
export function share(text) {
  if (text.endsWith("%")) return Number(text.slice(0, -1)) / 100;
  const [over, under] = text.split("/").map(Number);
  return under === undefined ? over : over / under;
}

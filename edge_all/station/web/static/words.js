// @ts-check
// What the page says, in the language in which the station gave it out: its words come as data in the page.

/** @typedef {{messages: Record<string, string | string[]>, mark: string, minute: string}} Words */

/** @type {Words} */
const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
const language = document.documentElement.lang || "en";
const CATEGORIES = ["zero", "one", "two", "few", "many", "other"];

/** @param {string} text @param {Record<string, unknown>} values for its `{name}` */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

/** A message in the page's language. @param {string} message in English @param {Record<string, unknown>} [values] */
export function word(message, values = {}) {
  const found = words.messages[message];
  return filled(typeof found === "string" ? found : message, values);
}

/**
 * A message that depends on a number, `{n}`.
 * @param {string} one @param {string} several @param {number} number @param {Record<string, unknown>} [values]
 */
export function counted(one, several, number, values = {}) {
  const forms = words.messages[one];
  const rules = new Intl.PluralRules(language);
  const used = CATEGORIES.filter((name) => rules.resolvedOptions().pluralCategories.includes(/** @type {any} */ (name)));
  const text = Array.isArray(forms) ? forms[used.indexOf(rules.select(number))] ?? forms[forms.length - 1] : number === 1 ? one : several;
  return filled(text, { n: number, ...values });
}

/** A number that was written with a decimal point. @param {string} written */
export function figure(written) {
  return written.replace(/(?<=\d)\.(?=\d)/g, words.mark);
}

/** A fraction as every report writes it. @param {number} fraction */
export function percent(fraction) {
  return figure(`${(100 * fraction).toFixed(1)} %`);
}

/** Two digits, and never a certainty that rounding made up. @param {number | null} value */
export function probabilityWords(value) {
  if (value === null) return "";
  if (value > 0.995) return figure(">0.99");
  if (value < 0.005) return figure("<0.01");
  return figure(value.toFixed(2));
}

/** A moment to the minute, as the station says it: UTC. @param {string} at ISO 8601 */
export function minute(at) {
  const [year, month, day, hour, minutes] = at.split(/[-T:]/);
  const parts = /** @type {Record<string, string>} */ ({ Y: year, m: month, d: day, H: hour, M: minutes });
  return words.minute.replace(/%(\w)/g, (place, name) => parts[name] ?? place);
}

/** What users have named, as it can be shown: it changes nothing around it, and something is seen. Pure. */

const LONGEST = 48; // of a name in a sentence

/**
 * Return a name on one line, without what would turn the text around it round or pile up over it; "" if then nothing
 * can be seen.
 */
export function shown(name) {
  const plain = (name ?? "")
    .replace(/\p{Bidi_Control}/gu, "")
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/(\p{Mark}{4})\p{Mark}+/gu, "$1")
    .trim();
  return /[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(plain) ? plain : "";
}

/** Return an id as it can be shown; one of which nothing can be seen as an address would have it. */
export function shownId(id) {
  return shown(id) || encodeURIComponent(id);
}

/** Return a name that is not too long for a sentence. */
export function short(name) {
  const characters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment);
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST - 1).join("").trimEnd()}…` : name;
}

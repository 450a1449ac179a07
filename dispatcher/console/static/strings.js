// Every text of the console, in the languages it speaks.

import { en } from "./strings-en.js";
import { zh } from "./strings-zh.js";

export const STRINGS = { en, zh };

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["_build/", "_vendor/", ".venv/", "**/node_modules/"] },
  js.configs.recommended,
  {
    languageOptions: { globals: globals.browser },
    rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error", "no-unused-vars": "error" },
  },
];

// SPDX-License-Identifier: Apache-2.0
// The scripts of the EspoCRM extension; `./build.sh test` runs it from the root of the repository.
import js from '@eslint/js';

const names = list => Object.fromEntries(list.map(name => [name, 'readonly']));

const browser = names(['AbortController', 'BroadcastChannel', 'Element', 'Event', 'TextEncoder', 'URL', 'URLSearchParams',
    'XMLHttpRequest', 'atob', 'document', 'fetch', 'localStorage', 'sessionStorage', 'setTimeout', 'clearTimeout',
    'setInterval', 'clearInterval', 'window']);

// What EspoCRM's page has before it loads a script.
const espocrm = names(['Espo', 'define']);

export default [
    js.configs.recommended,
    {
        files: ['**/*.js'],
        // EspoCRM gives browsers the files as they are; what is newer, not all of them understand.
        languageOptions: {ecmaVersion: 2022, sourceType: 'script', globals: {...browser, ...espocrm}},
        linterOptions: {reportUnusedDisableDirectives: 'error'},
        rules: {
            'array-callback-return': 'error',
            'block-scoped-var': 'error',
            'consistent-return': 'error',
            'curly': 'error',
            'default-case-last': 'error',
            'eqeqeq': ['error', 'always', {null: 'ignore'}],
            'no-alert': 'error',
            'no-caller': 'error',
            'no-constructor-return': 'error',
            'no-eval': 'error',
            'no-extend-native': 'error',
            'no-implicit-globals': 'error',
            'no-implied-eval': 'error',
            'no-loop-func': 'error',
            'no-new-func': 'error',
            'no-promise-executor-return': 'error',
            'no-script-url': 'error',
            'no-self-compare': 'error',
            'no-sequences': 'error',
            'no-shadow': 'error',
            'no-template-curly-in-string': 'error',
            'no-throw-literal': 'error',
            'no-unmodified-loop-condition': 'error',
            'no-unreachable-loop': 'error',
            'no-unused-expressions': ['error', {allowShortCircuit: true, allowTernary: true}],
            'no-use-before-define': ['error', {functions: false, variables: false}],
            'no-var': 'error',
            'prefer-const': 'error',
            'radix': 'error',
            'require-atomic-updates': 'error',
        },
    },
];

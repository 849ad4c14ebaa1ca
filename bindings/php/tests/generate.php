<?php
// Writes bindings/php/src/Header.php from include/kvlight.h: FFI::cdef() knows no macros, so they become constants.
//
//   php bindings/php/tests/generate.php include/kvlight.h > bindings/php/src/Header.php
//
// The tests compare what it prints with what is committed.
declare(strict_types=1);

$text = file_get_contents($argv[1]) ?: exit("no header at $argv[1]\n");

// Comments go, and so does what is between #if and #endif but the declarations for C.
$text = preg_replace(['~/\*.*?\*/~s', '/KVL_API\s*/', '/^#if defined.*?#endif\n/ms', '/^#ifdef __cplusplus.*?#endif\n/ms'], '', $text);

// PHP lends strings to char pointers only, and ids travel where C has pointers that the library never looks through.
$text = preg_replace('/(?<=[(,\s])const uint8_t \*(?=\w+[,)])/', 'const char *', $text);
$text = preg_replace('/\bvoid \*(?=user_data\b|object\b|context\b|kvl_)/', 'uintptr_t ', $text);

$constants = $declarations = [];
foreach (explode("\n", $text) as $line) {
    // An initialiser in braces is for compilers of C.
    if (preg_match('/^#define KVL_(\w+) \(?([^{]+?)u?\)?$/', $line, $define)) {
        $constants[] = "    public const $define[1] = $define[2];";
    } elseif (trim($line) !== '' && $line[0] !== '#') {
        $declarations[] = $line;
    }
}

echo "<?php\n// Made from include/kvlight.h by bindings/php/tests/generate.php; a test compares them. Do not edit.\n";
echo "declare(strict_types=1);\n\nnamespace Kvlight;\n\n/** What kvlight.h declares; ids stand where C has pointers to the program's own. */\nfinal class Header\n{\n";
echo implode("\n", $constants), "\n\n    public const DECLARATIONS = <<<'C'\n", implode("\n", $declarations), "\nC;\n}\n";

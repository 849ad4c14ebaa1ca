/* Keys as bytes, and back. The bytes begin with a letter for the type of the key: 1, 1.0 and True are equal in Python, but three keys here. */
#include "native.h"

#include <stdlib.h>
#include <string.h>

void bytes_start(Bytes *bytes)
{
    bytes->data = bytes->first;
    bytes->len = 0;
    bytes->capacity = sizeof bytes->first;
}

void bytes_end(Bytes *bytes)
{
    if (bytes->data != bytes->first)
        free(bytes->data);
}

int bytes_add(Bytes *bytes, const void *data, size_t len)
{
    if (len > bytes->capacity - bytes->len) {
        size_t capacity = bytes->capacity * 2 > bytes->len + len ? bytes->capacity * 2 : bytes->len + len;
        uint8_t *grown = realloc(bytes->data == bytes->first ? NULL : bytes->data, capacity);
        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        if (bytes->data == bytes->first)
            memcpy(grown, bytes->first, bytes->len);
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return 0;
}

static int add_type_letter(Bytes *into, char letter) { return bytes_add(into, &letter, 1); }

/* Writes integers of up to 64 bits in decimal, longer ones in hexadecimal: Python limits the number of digits of decimal conversions only. */
static int add_int(PyObject *key, Bytes *into)
{
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(key, &overflow);
    if (!overflow) {
        char digits[24], *at = digits + sizeof digits;
        unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
        do {
            *--at = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest);
        if (number < 0)
            *--at = '-';
        *--at = 'i';
        return bytes_add(into, at, (size_t)(digits + sizeof digits - at));
    }
    PyObject *text = PyNumber_ToBase(key, 16);
    Py_ssize_t len;
    const char *digits = text ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;
    int failed = !digits || add_type_letter(into, 'x') || bytes_add(into, digits, (size_t)len);
    Py_XDECREF(text);
    return failed ? -1 : 0;
}

static int add_bytes(Bytes *into, char letter, PyObject *bytes)
{
    char *data;
    Py_ssize_t len;
    if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &len) < 0)
        return -1;
    return add_type_letter(into, letter) || bytes_add(into, data, (size_t)len) ? -1 : 0;
}

static int add_text(PyObject *key, Bytes *into)
{
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(key, &len);
    if (data)
        return add_type_letter(into, 's') || bytes_add(into, data, (size_t)len) ? -1 : 0;
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
        return -1;
    PyErr_Clear(); /* a lone surrogate */
    PyObject *bytes = PyUnicode_AsEncodedString(key, "utf-8", "surrogatepass");
    int failed = add_bytes(into, 's', bytes);
    Py_XDECREF(bytes);
    return failed;
}

static int add_key(State *state, PyObject *key, Bytes *into);

/* Writes, for each part of a tuple, its length in 4 bytes and its own bytes. */
static int add_tuple(State *state, PyObject *key, Bytes *into)
{
    if (add_type_letter(into, 't') < 0 || Py_EnterRecursiveCall(" while a key is encoded"))
        return -1;
    int failed = 0;
    Py_ssize_t n = PyTuple_Size(key);
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        Bytes part;
        bytes_start(&part);
        failed = add_key(state, PyTuple_GetItem(key, i), &part);
        uint32_t len = (uint32_t)part.len;
        if (!failed && part.len > KVL_KEY_MAX)
            len = KVL_KEY_MAX; /* the library refuses the key, which is too long */
        failed = failed || bytes_add(into, &len, sizeof len) || bytes_add(into, part.data, part.len);
        bytes_end(&part);
    }
    Py_LeaveRecursiveCall();
    return failed ? -1 : 0;
}

static int add_key(State *state, PyObject *key, Bytes *into)
{
    if (PyUnicode_CheckExact(key))
        return add_text(key, into);
    if (PyLong_CheckExact(key))
        return add_int(key, into);
    if (PyBytes_CheckExact(key))
        return add_bytes(into, 'b', key);
    if (PyTuple_CheckExact(key))
        return add_tuple(state, key, into);
    if (key == Py_None)
        return add_type_letter(into, 'n');
    if (key == Py_True || key == Py_False)
        return bytes_add(into, key == Py_True ? "o1" : "o0", 2);
    if (PyFloat_CheckExact(key)) {
        double number = PyFloat_AsDouble(key);
        if (number == 0)
            number = 0; /* -0.0 becomes 0.0 */
        return add_type_letter(into, 'f') || bytes_add(into, &number, sizeof number) ? -1 : 0;
    }
    if ((PyObject *)Py_TYPE(key) == state->uuid) {
        PyObject *bytes = PyObject_GetAttr(key, state->s_bytes);
        int failed = add_bytes(into, 'u', bytes);
        Py_XDECREF(bytes);
        return failed;
    }
    if (PyUnicode_Check(key) || PyLong_Check(key) || PyBytes_Check(key) || PyTuple_Check(key) || PyFloat_Check(key)) {
        PyErr_Format(PyExc_TypeError,
                     "a key is an int, str, bytes, float, bool, None, UUID or a tuple of those; subclasses such as %R are refused, since the provider would "
                     "not get them back: convert the key, or use encode= and decode=",
                     Py_TYPE(key));
        return -1;
    }
    PyErr_Format(PyExc_TypeError,
                 "a key is an int, str, bytes, float, bool, None, UUID or a tuple of those, not %R; keys of other types need encode= and decode=",
                 Py_TYPE(key));
    return -1;
}

int key_encode(State *state, PyObject *encode, PyObject *key, Bytes *into)
{
    if (!encode)
        return add_key(state, key, into);
    PyObject *bytes = PyObject_CallFunctionObjArgs(encode, key, NULL);
    char *data;
    Py_ssize_t len;
    int failed = !bytes || PyBytes_AsStringAndSize(bytes, &data, &len) < 0 || bytes_add(into, data, (size_t)len) < 0;
    Py_XDECREF(bytes);
    return failed ? -1 : 0;
}

/* For bytes that key_encode() did not write: those of another program, from a file or a second tier. */
static PyObject *raise_malformed(void)
{
    PyErr_SetString(PyExc_ValueError, "the bytes of a key or value are from another program: this package decodes only what it has saved itself");
    return NULL;
}

/* The value of 1 to 18 decimal digits, which fits in 64 bits; -1 for anything else. */
static long long short_int(const uint8_t *data, size_t len)
{
    long long number = 0;
    for (size_t i = 0; i < len; i++) {
        if (len > 18 || data[i] < '0' || data[i] > '9')
            return -1;
        number = number * 10 + (data[i] - '0');
    }
    return len ? number : -1;
}

static PyObject *int_decode(const uint8_t *data, size_t len, int base)
{
    long long number_if_short = base == 10 ? short_int(data, len) : -1;
    if (number_if_short >= 0)
        return PyLong_FromLongLong(number_if_short);
    char digits[64];
    char *copy = len < sizeof digits ? digits : malloc(len + 1);
    if (!copy)
        return PyErr_NoMemory();
    memcpy(copy, data, len);
    copy[len] = 0;
    PyObject *number = PyLong_FromString(copy, NULL, base);
    if (copy != digits)
        free(copy);
    return number;
}

static PyObject *tuple_decode(State *state, const uint8_t *data, size_t len)
{
    if (Py_EnterRecursiveCall(" while a key is decoded"))
        return NULL;
    PyObject *parts = PyList_New(0);
    while (parts && len) {
        uint32_t part_len = 0;
        bool is_complete = len >= sizeof part_len;
        if (is_complete) {
            memcpy(&part_len, data, sizeof part_len);
            data += sizeof part_len, len -= sizeof part_len;
            is_complete = part_len <= len;
        }
        PyObject *part = is_complete ? key_decode(state, NULL, data, part_len, false) : raise_malformed();
        if (!part || PyList_Append(parts, part) < 0)
            Py_CLEAR(parts);
        Py_XDECREF(part);
        if (is_complete)
            data += part_len, len -= part_len;
    }
    Py_LeaveRecursiveCall();
    PyObject *tuple = parts ? PyList_AsTuple(parts) : NULL;
    Py_XDECREF(parts);
    return tuple;
}

PyObject *key_decode(State *state, PyObject *decode, const uint8_t *data, size_t len, bool is_raw)
{
    if (is_raw)
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)len);
    if (decode)
        return PyObject_CallFunction(decode, "y#", data ? (const char *)data : "", (Py_ssize_t)len);
    if (!len)
        return raise_malformed();
    char letter = (char)*data++;
    switch (len--, letter) {
    case 's':
        return PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)len, "surrogatepass");
    case 'i':
        return int_decode(data, len, 10);
    case 'x':
        return int_decode(data, len, 16);
    case 'b':
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)len);
    case 't':
        return tuple_decode(state, data, len);
    case 'o':
        return len == 1 ? PyBool_FromLong(*data == '1') : raise_malformed();
    case 'f': {
        double number;
        if (len != sizeof number)
            return raise_malformed();
        memcpy(&number, data, sizeof number);
        return PyFloat_FromDouble(number);
    }
    case 'u': {
        PyObject *arguments = Py_BuildValue("(Oy#)", Py_None, (const char *)data, (Py_ssize_t)len);
        PyObject *uuid = arguments ? PyObject_CallObject(state->uuid, arguments) : NULL;
        Py_XDECREF(arguments);
        return uuid;
    }
    case 'n':
        Py_INCREF(Py_None);
        return Py_None;
    default:
        return raise_malformed();
    }
}

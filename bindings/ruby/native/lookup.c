/* Kvlight::Engine#look_up for CRuby: a lookup in one call from Ruby. Fiddle needs four calls, each of which takes longer than the lookup itself.
 * Where this file is not compiled for the Ruby that runs, lib/kvlight/lookup.rb makes the lookup through Fiddle. */
#include <ruby.h>
#include <ruby/encoding.h>
#include <kvlight.h>

/* Functions of the library that Fiddle has loaded. */
static struct {
    kvl_status_t (*get)(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, void **out_object, kvl_value_t **out_value);
    const uint8_t *(*data)(const kvl_value_t *value, size_t *out_len);
    void (*release)(kvl_value_t *value);
} library;

static ID id_tasks, id_check;
static VALUE error_class, missing;

/* Kvlight::Lookup.bind(get, data, release): the functions' addresses. */
static VALUE lookup_bind(VALUE self, VALUE get, VALUE data, VALUE release)
{
    library.get = (kvl_status_t(*)(kvl_tasks_t *, const uint8_t *, size_t, void **, kvl_value_t **))NUM2SIZET(get);
    library.data = (const uint8_t *(*)(const kvl_value_t *, size_t *))NUM2SIZET(data);
    library.release = (void (*)(kvl_value_t *))NUM2SIZET(release);
    return self;
}

/* A value that is bytes, and the encoding of the String that is made of it. */
struct Lookup {
    kvl_value_t *value;
    VALUE encoding;
};

static VALUE read_value(VALUE argument)
{
    const struct Lookup *lookup = (const struct Lookup *)argument;
    size_t len;
    const uint8_t *data = library.data(lookup->value, &len);
    return rb_enc_str_new((const char *)data, (long)len, rb_to_encoding(lookup->encoding));
}

static VALUE release_value(VALUE value)
{
    library.release((kvl_value_t *)value);
    return Qnil;
}

/* look_up(key, objects, encoding): the value, nil if the key is known to be absent, or MISSING if it is not in the cache. `objects` is the Array of an
 * ObjectTable. No other Ruby thread runs meanwhile, so the engine cannot be freed; and the object stays in the Array until a Ruby thread has read that the
 * library has dropped it. */
static VALUE engine_look_up(VALUE self, VALUE key, VALUE objects, VALUE encoding)
{
    struct Lookup lookup = {NULL, encoding};
    void *object = NULL;
    Check_Type(key, T_STRING);
    kvl_tasks_t *tasks = (kvl_tasks_t *)NUM2SIZET(rb_ivar_get(self, id_tasks));
    kvl_status_t status = KVL_ERR_CLOSED;
    if (tasks)
        status = library.get(tasks, (const uint8_t *)RSTRING_PTR(key), (size_t)RSTRING_LEN(key), &object, &lookup.value);
    RB_GC_GUARD(key);
    if (status == KVL_VALUE && !lookup.value)
        return rb_ary_entry(objects, (long)(size_t)object);
    if (status == KVL_VALUE)
        return rb_ensure(read_value, (VALUE)&lookup, release_value, (VALUE)lookup.value);
    if (status == KVL_NULL)
        return Qnil;
    if (status < 0)
        rb_funcall(error_class, id_check, 1, INT2NUM(status)); /* raises */
    return missing;
}

void Init_lookup(void)
{
    VALUE kvlight = rb_const_get(rb_cObject, rb_intern("Kvlight"));
    VALUE native = rb_const_get(kvlight, rb_intern("Native"));
    id_tasks = rb_intern("@tasks");
    id_check = rb_intern("check");
    error_class = rb_const_get(kvlight, rb_intern("Error"));
    missing = rb_const_get(native, rb_intern("MISSING"));
    rb_gc_register_mark_object(error_class);
    rb_gc_register_mark_object(missing);
    rb_define_singleton_method(rb_const_get(kvlight, rb_intern("Lookup")), "bind", lookup_bind, 3);
    rb_define_method(rb_const_get(kvlight, rb_intern("Engine")), "look_up", engine_look_up, 3);
}

using System;
using System.Collections.Generic;
using System.Globalization;

namespace Kvlight
{
    /// <summary>Settings by their names. The subclasses have a property for each setting; Set takes the name of any setting, for example from a file.
    /// An invalid setting is refused when the settings are used, with a message that says what is wrong. Not safe for use by several threads while it
    /// is changed.</summary>
    public abstract unsafe class SettingValues
    {
        private readonly Dictionary<string, object> values = new Dictionary<string, object>();

        internal SettingValues()
        {
        }

        /// <summary>Sets a setting by the library's name, such as "cache.capacity".</summary>
        /// <param name="name">Its name.</param>
        /// <param name="value">A string, a number or a boolean.</param>
        public void Set(string name, object value)
        {
            if (name == null)
                throw new ArgumentNullException(nameof(name));
            object form = Form(value);
            if (form == null)
                throw new ArgumentException($"kvlight: the setting {name} takes a string, a number or a boolean, not {Named(value)}", nameof(value));
            Put(name, form);
        }

        /// <summary>Returns a value as a string, a bool, a long or a double; null if it is neither text, nor a boolean, nor a number.</summary>
        private static object Form(object value)
        {
            switch (value is Enum ? TypeCode.Object : Convert.GetTypeCode(value))
            {
                case TypeCode.String:
                case TypeCode.Boolean:
                    return value;
                case TypeCode.SByte:
                case TypeCode.Byte:
                case TypeCode.Int16:
                case TypeCode.UInt16:
                case TypeCode.Int32:
                case TypeCode.UInt32:
                case TypeCode.Int64:
                    return Convert.ToInt64(value, CultureInfo.InvariantCulture);
                case TypeCode.Single:
                case TypeCode.Double:
                    return Convert.ToDouble(value, CultureInfo.InvariantCulture);
                case TypeCode.UInt64:
                case TypeCode.Decimal:
                    decimal number = Convert.ToDecimal(value, CultureInfo.InvariantCulture);
                    bool isWhole = decimal.Truncate(number) == number && number >= long.MinValue && number <= long.MaxValue;
                    return isWhole ? (object)decimal.ToInt64(number) : decimal.ToDouble(number);
                default:
                    return null;
            }
        }

        private static string Named(object value) => value == null ? "null" : $"the {value.GetType().Name} {value}";

        internal bool IsEmpty => values.Count == 0;

        internal bool Has(string name) => values.ContainsKey(name);

        internal void Put(string name, object value)
        {
            if (value == null)
                values.Remove(name);
            else
                values[name] = value;
        }

        internal long? GetLong(string name) => values.TryGetValue(name, out object value) ? Convert.ToInt64(value, CultureInfo.InvariantCulture) : (long?)null;

        internal double? GetDouble(string name) =>
            values.TryGetValue(name, out object value) ? Convert.ToDouble(value, CultureInfo.InvariantCulture) : (double?)null;

        internal bool? GetBool(string name) => values.TryGetValue(name, out object value) ? Convert.ToBoolean(value, CultureInfo.InvariantCulture) : (bool?)null;

        internal int? GetWord(string name, params string[] words)
        {
            int at = values.TryGetValue(name, out object value) ? Array.IndexOf(words, value as string) : -1;
            return at < 0 ? (int?)null : at;
        }

        internal void SetWord(string name, int? value, params string[] words)
        {
            if (value < 0 || value >= words.Length)
                throw new ArgumentOutOfRangeException(nameof(value), $"kvlight: {value} is none of the values of the setting {name}");
            Put(name, value == null ? null : words[value.Value]);
        }

        /// <summary>Writes the settings into a kvl_config_t or, if not `isConfig`, a kvl_options_t. Throws if one of them is invalid.</summary>
        internal void WriteTo(IntPtr handle, bool isConfig)
        {
            foreach (KeyValuePair<string, object> pair in values)
            {
                fixed (byte* name = Utf8.Terminated(pair.Key))
                {
                    object value = pair.Value;
                    if (value is long whole)
                    {
                        _ = isConfig ? NativeApi.kvl_config_set_int(handle, name, whole) : NativeApi.kvl_options_set_int(handle, name, whole);
                    }
                    else if (value is double number)
                    {
                        _ = isConfig ? NativeApi.kvl_config_set_real(handle, name, number) : NativeApi.kvl_options_set_real(handle, name, number);
                    }
                    else
                    {
                        // A bool as a text, since as a number it would also be accepted by a setting that takes numbers.
                        string said = value is bool flag ? (flag ? "true" : "false") : (string)value;
                        fixed (byte* text = Utf8.Terminated(said))
                            _ = isConfig ? NativeApi.kvl_config_set(handle, name, text) : NativeApi.kvl_options_set(handle, name, text);
                    }
                }
            }
            byte* problem = isConfig ? NativeApi.kvl_config_problem(handle) : NativeApi.kvl_options_problem(handle);
            if (problem != null)
                throw new KvlightException(Status.ErrBadValue, Utf8.Text(problem), null);
        }
    }
}

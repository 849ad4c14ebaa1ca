-- Writes bindings/lua/kvlight_h.lua from include/kvlight.h: ffi.cdef knows no macros, so they become a table of constants.
--
--   luajit bindings/lua/tests/generate.lua include/kvlight.h bindings/lua/kvlight_h.lua
--
-- With "-" instead of the second path it prints; the tests compare that with what is committed.

local header, target = arg[1], arg[2]

local file = assert(io.open(header))
local text = file:read("*a")
file:close()

-- Comments go, and so does what is between #if and #endif but the declarations for C.
text = text:gsub("/%*.-%*/", ""):gsub("KVL_API%s*", "")
text = text:gsub("#if defined.-#endif\n", ""):gsub("#ifdef __cplusplus.-#endif\n", "")

local constants, declarations = {}, {}
for line in text:gmatch("[^\n]+") do
  local name, number = line:match("^#define ([%w_]+) (.+)$")
  if name and number:match("^{") then
    -- An initialiser is for compilers of C.
  elseif name then
    number = number:match("^%((.*)%)$") or number
    constants[#constants + 1] = ("  %s = %s,"):format(name:match("^KVL_(.*)$"), (number:gsub("u$", "")))
  elseif line:match("%S") and not line:match("^#") then
    declarations[#declarations + 1] = line
  end
end

local out = table.concat({
  "-- Made from include/kvlight.h by bindings/lua/tests/generate.lua; a test compares them. Do not edit.",
  "local ffi = require \"ffi\"",
  "",
  "ffi.cdef [[",
  table.concat(declarations, "\n"),
  "]]",
  "",
  "return {",
  table.concat(constants, "\n"),
  "}",
  "",
}, "\n")

local sink = target == "-" and io.stdout or assert(io.open(target, "w"))
sink:write(out)
sink:flush()

-- Value at which an operator holds something (hold.lua), while that lasts; else nil.
local function held_value(raw)
  local value, until_ms = string.match(raw or "", "^(%S+) (%d+)")
  if until_ms and (until_ms == "0" or tonumber(until_ms) > now) then return tonumber(value) end
end

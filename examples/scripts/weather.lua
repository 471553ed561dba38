-- weather.lua: /weather tells what was last reported for a place. Reports come from the round, "weather Berlin: 5 °C, rain", which
-- a cron job can pipe into opentalk, or from /weather PLACE: TEXT.
ot.register { version = "1.0", description = "remembers the weather", needs = { "storage" } }

local function keep(place, text, by)
  ot.store.set("at " .. place:lower(), { place = place, text = text, by = by, time = ot.time() })
end

ot.on("message", function(m)
  local place, text = ot.re.match(m.text, [[(?i)^weather ([\pL -]+): (.+)$]])
  if place then keep(place, text, m.from) end
end)

ot.command {
  name = "weather", usage = "[PLACE[: TEXT]]", help = "tells or keeps the weather of a place", example = "/weather Berlin",
  run = function(call)
    local place, text = ot.re.match(call.line, [[^([\pL -]+): (.+)$]])
    if place then
      keep(place, text, "you")
      return "kept"
    end
    local lines = {}
    for _, key in ipairs(ot.store.keys("at " .. call.line:lower())) do
      local w = ot.store.get(key)
      lines[#lines + 1] = ("%s: %s (%s, %s)"):format(w.place, w.text, w.by, ot.date("%a %R", w.time))
    end
    if #lines == 0 then
      return nil, call.line == "" and "nothing is known yet: /weather PLACE: TEXT keeps it" or "nothing is known of " .. call.line
    end
    return lines
  end,
  complete = function()
    local places = {}
    for _, key in ipairs(ot.store.keys("at ")) do places[#places + 1] = ot.store.get(key).place end
    return places
  end,
}

function test_from_the_round()
  ot.test.receive { from = "cron", text = "weather Berlin: 5 °C, rain", auto = true }
  assert(ot.test.command("/weather berlin")[1]:find("Berlin: 5 °C, rain (cron", 1, true))
end

function test_unknown()
  local lines, problem = ot.test.command("/weather Oslo")
  assert(lines == nil and problem:find("Oslo"))
  lines, problem = ot.test.command("/weather")
  assert(lines == nil and problem:find("PLACE: TEXT"))
end

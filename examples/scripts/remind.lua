-- remind.lua: /remind 10m tea. Reminders outlive the chat; those whose time has passed meanwhile come at the start.
ot.register { version = "1.0", description = "reminds you", needs = { "notify", "storage" } }

local units = { s = 1, m = 60, h = 3600, d = 86400 }

local function arm(id, r)
  ot.timer(math.max(0, r.at - ot.time()), function()
    if ot.store.get(id) then
      ot.store.delete(id)
      ot.notify("reminder: " .. r.text)
    end
  end)
end

ot.on("start", function()
  for _, id in ipairs(ot.store.keys("r")) do arm(id, ot.store.get(id)) end
end)

ot.command {
  name = "remind", usage = "[TIME TEXT | off NUMBER]", help = "reminds you after a time (30s, 10m, 2h, 1d), or lists what it will remind you of",
  example = "/remind 10m tea",
  run = function(call)
    if call.args[1] == "off" then
      if not ot.store.get("r" .. (call.args[2] or "")) then return nil, "/remind lists the numbers" end
      ot.store.delete("r" .. call.args[2])
      return "forgotten"
    end
    if #call.args == 0 then
      local lines = {}
      for _, id in ipairs(ot.store.keys("r")) do
        local r = ot.store.get(id)
        lines[#lines + 1] = ("%s  %s  %s"):format(id:sub(2), ot.date("%F %T", r.at), r.text)
      end
      return #lines > 0 and lines or "nothing"
    end
    local n, unit, text = ot.re.match(call.line, [[^\s*(\d{1,4})([smhd])\s+(.+)$]])
    if not n then return nil, "for example /remind 10m tea" end
    local r = { at = ot.time() + n * units[unit], text = text }
    local number = ot.store.get("last", 0) + 1
    ot.store.set("last", number)
    ot.store.set("r" .. number, r)
    arm("r" .. number, r)
    return "at " .. ot.date("%R", r.at)
  end,
}

function test_comes_once()
  ot.test.command("/remind 10m tea")
  ot.test.advance(599)
  assert(#ot.test.notified() == 0)
  ot.test.advance(2)
  assert(ot.test.notified()[1] == "reminder: tea")
  assert(ot.test.command("/remind")[1] == "nothing")
end

function test_off()
  ot.test.command("/remind 10m tea")
  ot.test.command("/remind off 1")
  ot.test.advance(700)
  assert(#ot.test.notified() == 0)
end

# overlay: what scripts/suite loads after the helpers of Redis' own test suite and before a unit.
#
# The suite stops at its first exception and trusts the server to answer. A judge wants the opposite: every test counted,
# whatever happened before it. So this file replaces a handful of the suite's procedures:
#
#   send_data_packet            events go to a file, one line each, instead of to a test server process
#   test                        whatever goes wrong inside is a failure of that test alone, after which the client is new
#   start_server, tags          their code is evaluated one statement at a time: an error outside any test is an event,
#                               costs that statement, and the next one runs
#   redis_read_reply            a reply that does not begin within JUDGE_REPLY_MS is an error, not a hang
#   tags_acceptable             JUDGE_FORCED=1 lets `external:skip` through, for a server that belongs to this run
#
# Event lines are `kind <tab> data`, where \\ \n \r \t in data are escaped: testing, ok, err, skip, ignore, stray (an
# error outside a test), done.

namespace eval judge {
    variable events [open $::env(JUDGE_EVENTS) w]
    fconfigure $events -encoding utf-8 -translation lf -buffering line
    variable inside 0
    variable reply_ms $::env(JUDGE_REPLY_MS)
    variable forced $::env(JUDGE_FORCED)
    variable tick 0

    proc event {kind data} {
        variable events
        puts $events "$kind\t[string map [list \\ \\\\ \n \\n \r \\r \t \\t] [string range $data 0 2000]]"
    }

    # One line for a statement, short enough for a report.
    proc gist {code} { string range [regsub -all {\s+} [string trim $code] { }] 0 100 }

    # The suite's stacks of servers and tags, to be put back after an error that jumped over their pops.
    proc stacks {} { list $::servers $::tags }
    proc restack {saved} {
        set ::servers [lrange $::servers 0 [expr {[llength [lindex $saved 0]] - 1}]]
        set ::tags [lindex $saved 1]
    }

    # A new connection behind the handle that a unit may have kept: no transaction, protocol, or reply is left over.
    proc renew {} {
        if {![llength $::servers]} return
        set handle [dict get [lindex $::servers end] client]
        if {![regexp {redisHandle(\d+)$} $handle -> id] || ![info exists ::redis::addr($id)]} return
        catch {close $::redis::fd($id)}
        set ::redis::fd($id) {}
        set ::redis::blocking($id) 1
        set ::redis::deferred($id) 0
        set ::redis::readraw($id) 0
        ::redis::redis_reset_state $id
        if {!$::singledb} {catch {$handle select 9}}
    }

    # Evaluates `code` at stack level `level`, statement by statement.
    proc statements {level code where} {
        set statement {}
        foreach line [split $code \n] {
            append statement $line \n
            if {[string index $line end] eq "\\" || ![info complete $statement]} continue
            set now $statement
            set statement {}
            if {[string trim $now] eq {}} continue
            set saved [stacks]
            set outcome [catch {uplevel #$level $now} message]
            if {$outcome == 1} {
                event stray "$where: $message <[gist $now]>"
                restack $saved
                variable inside 0
                renew
            } elseif {$outcome == 2} {
                return
            }
        }
        if {[string trim $statement] ne {}} {event stray "$where: unfinished <[gist $statement]>"}
    }

    # Waits for the first byte of a reply, within reply_ms.
    proc await {id fd} {
        variable reply_ms
        variable tick
        variable ready
        if {!$::redis::blocking($id) || [chan pending input $fd] > 0} return
        set mine [incr tick]
        set before [fileevent $fd readable]
        fileevent $fd readable [list set ::judge::ready($mine) 1]
        set alarm [after $reply_ms [list set ::judge::ready($mine) 0]]
        vwait ::judge::ready($mine)
        after cancel $alarm
        set came $ready($mine)
        unset ready($mine)
        catch {fileevent $fd readable $before}
        if {!$came} {
            catch {close $fd}
            set ::redis::fd($id) {}
            error "no reply within $reply_ms ms"
        }
    }
}

proc send_data_packet {fd status data {elapsed 0}} {
    if {$status in {testing ok err skip ignore}} {judge::event $status $data}
}

rename ::redis::redis_read_reply ::redis::judged_read_reply
proc ::redis::redis_read_reply {id fd} {
    judge::await $id $fd
    return [::redis::judged_read_reply $id $fd]
}

rename tags_acceptable judged_tags_acceptable
proc tags_acceptable {tags reason} {
    upvar 1 $reason why
    if {$judge::forced} {set tags [lsearch -all -inline -not -exact $tags external:skip]}
    return [judged_tags_acceptable $tags why]
}

proc test {name code {expected undefined} {tags {}}} {
    if {[search_pattern_list $name $::skiptests]} {judge::event skip $name; return}
    if {![tags_acceptable [concat $::tags $tags] why]} {judge::event ignore "$name: $why"; return}
    judge::event testing $name
    incr ::num_tests
    set saved [judge::stacks]
    set outside $judge::inside
    set judge::inside 1
    set outcome [catch {set got [uplevel 1 $code]} message]
    set judge::inside $outside
    if {$outcome == 0} {
        if {$expected eq "undefined" || $expected eq $got || [string match $expected $got]} {
            judge::event ok $name
            return
        }
        set message "expected '$expected', got '$got'"
    }
    judge::event err "$name\n$message"
    judge::restack $saved
    judge::renew
}

proc tags {tags code} {
    set level [expr {[info level] - 1}]
    set saved $::tags
    set ::tags [concat $::tags [string map {\" {}} $tags]]
    if {![tags_acceptable $::tags why]} {
        judge::event ignore "tags {$tags}: $why"
    } elseif {$judge::inside} {
        uplevel 1 $code
    } else {
        judge::statements $level $code "tags {$tags}"
    }
    set ::tags $saved
}

# Called by start_server, two levels above whose caller the code belongs.
proc run_external_server_test {code overrides} {
    set level [expr {[info level] - 2}]
    set server [dict create host $::host port $::port config [dict create port $::port] \
        client [redis $::host $::port 0 $::tls] pid $::env(JUDGE_PID) \
        stdout $::env(JUDGE_LOG) stderr $::env(JUDGE_LOG)]
    lappend ::servers $server
    if {!$::singledb} {r select 9}
    r flushall
    catch {r function flush}
    set before {}
    foreach {name value} $overrides {
        catch {
            dict set before $name [lindex [r config get $name] 1]
            r config set $name $value
            if {$name eq "appendonly" && $value eq "yes"} {waitForBgrewriteaof r}
        }
    }
    set saved [judge::stacks]
    set failed 0
    if {$judge::inside} {
        set failed [catch {uplevel #$level $code} message]
    } else {
        judge::statements $level $code start_server
    }
    judge::restack $saved
    dict for {name value} $before {catch {r config set $name $value}}
    catch {[srv client] close}
    set ::servers [lrange $::servers 0 end-1]
    if {$failed} {error $message}
}

# What needs servers of the suite's own making is not for this mode.
proc kill_server {config} {}
proc start_multiple_servers {count args} {judge::event ignore "start_multiple_servers"}
proc start_cluster {args} {judge::event ignore "start_cluster"}

set ::durable 1
set ::test_server_fd {}
set ::curfile $::env(JUDGE_UNIT)
set judge::file [open $::curfile]
fconfigure $judge::file -encoding utf-8
set judge::code [read $judge::file]
close $judge::file
judge::statements 0 $judge::code $::curfile
judge::event done {}
exit 0

//! Every route of the HTTP API, once: the router is made of it, and the OpenAPI document and the tests of
//! who may ask for what are held to it. It has no code.

/// Calls a macro with all routes: a name, the method, the path, who may ask at all (`Anybody`, or `Bearer`
/// of a good token), and the handler.
macro_rules! with_routes {
    ($then:ident) => {
        $then! {
            ListRooms GET "/api/rooms" Anybody rooms::list;
            CreateRoom POST "/api/rooms" Bearer rooms::create;
            MyRoom GET "/api/rooms/me" Bearer rooms::mine;
            EnsureMyRoom PUT "/api/rooms/me" Bearer rooms::mine;
            GetRoom GET "/api/rooms/{room}" Bearer rooms::get;
            UpdateRoom PATCH "/api/rooms/{room}" Bearer rooms::update;
            DeleteRoom DELETE "/api/rooms/{room}" Bearer rooms::delete;
            OpenLobby POST "/api/rooms/{room}/open-lobby" Bearer sessions::open_lobby;
            GoLive POST "/api/rooms/{room}/go-live" Bearer sessions::go_live;
            EndSession POST "/api/rooms/{room}/end" Bearer sessions::end;
            ListSessions GET "/api/rooms/{room}/sessions" Bearer sessions::list;
            ScheduleSession POST "/api/rooms/{room}/sessions" Bearer sessions::schedule;
            GetSession GET "/api/rooms/{room}/sessions/{session}" Bearer sessions::get;
            CancelSession POST "/api/rooms/{room}/sessions/{session}/cancel" Bearer sessions::cancel;
            Attendance GET "/api/rooms/{room}/sessions/{session}/attendance" Bearer attendance::get;
            AttendanceCsv GET "/api/rooms/{room}/sessions/{session}/attendance.csv" Bearer attendance::csv;
            ListParticipants GET "/api/rooms/{room}/participants" Bearer participants::list;
            UpdateParticipant PATCH "/api/rooms/{room}/participants/{participant}" Bearer participants::update;
            RemoveParticipant DELETE "/api/rooms/{room}/participants/{participant}" Bearer participants::remove;
            Forwarding GET "/api/rooms/{room}/participants/{participant}/forwarding" Bearer forwarding::get;
            MuteTrack POST "/api/rooms/{room}/tracks/{track}/mute" Bearer participants::mute;
            ListBans GET "/api/rooms/{room}/bans" Bearer bans::list;
            Ban PUT "/api/rooms/{room}/bans/{identity}" Bearer bans::ban;
            Unban DELETE "/api/rooms/{room}/bans/{identity}" Bearer bans::unban;
            Live GET "/api/live" Anybody live::events;
            Config GET "/api/config" Anybody config;
            DevelopmentToken POST "/api/dev/token" Anybody super::development::token;
            OpenApi GET "/api/openapi.json" Anybody openapi::document;
            Page GET "/api" Anybody openapi::page;
        }
    };
}

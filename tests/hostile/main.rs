//! Hostile programs on the display and broken X servers: whatever they do, each answer comes in time, is true, and costs a
//! bounded amount of memory. `README.md` in this folder has a row for each attack.
//!
//! Every attack runs against an executor that is being asked for actions all the while. It has a short form for every run
//! and a long one, of at least 20 seconds, for the soak.
#![allow(unreachable_pub, reason = "the modules of a test program are public to it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where its surroundings fail, and says where")]
#![allow(clippy::print_stderr, reason = "a test shows its figures")]

mod arena;
mod attack;
mod judge;
mod memory;
#[path = "../paste/owners.rs"]
#[allow(dead_code, reason = "what the tests of paste use beside it")]
mod owners;
#[path = "../support/mod.rs"]
mod support;

mod broken_server;
mod client_kill;
mod clipboard;
mod focus_theft;
mod forged_events;
mod impostor;
mod input_grab;
mod keymap_storm;
mod many_connections;
mod pointer_capture;
mod property_flood;
mod proxy;
mod resize_loop;
mod server_grab;
mod window_storm;

use std::time::Duration;

/// How long an attack lasts in the ordinary run: long enough for some hundred actions.
const SHORT: Duration = Duration::from_secs(2);
/// How long it lasts in the soak.
const LONG: Duration = Duration::from_secs(20);

/// One attack as a test of its ordinary and of its long form.
macro_rules! attack {
    ($name:ident, $long:ident, $run:path) => {
        #[test]
        fn $name() {
            $run(SHORT);
        }

        #[test]
        #[ignore = "soak: 20 s of the attack"]
        fn $long() {
            $run(LONG);
        }
    };
}

attack!(a_held_server_grab, a_held_server_grab_for_long, server_grab::held);
attack!(a_server_grab_that_comes_and_goes, a_server_grab_that_comes_and_goes_for_long, server_grab::repeated);
attack!(a_keyboard_grab, a_keyboard_grab_for_long, input_grab::keyboard);
attack!(a_pointer_grab, a_pointer_grab_for_long, input_grab::pointer);
attack!(a_pointer_that_is_confined, a_pointer_that_is_confined_for_long, pointer_capture::confined);
attack!(a_pointer_that_is_warped, a_pointer_that_is_warped_for_long, pointer_capture::warped);
attack!(a_keymap_that_changes, a_keymap_that_changes_for_long, keymap_storm::while_typing);
attack!(a_keymap_that_changes_unasked, a_keymap_that_changes_unasked_for_long, keymap_storm::while_idle);
attack!(four_hundred_connections, four_hundred_connections_for_long, many_connections::opened);
attack!(an_enormous_title, an_enormous_title_for_long, property_flood::enormous_title);
attack!(ten_thousand_properties, ten_thousand_properties_for_long, property_flood::many_properties);
attack!(titles_that_act_on_their_reader, titles_that_act_on_their_reader_for_long, property_flood::poisonous_titles);
attack!(focus_that_is_stolen, focus_that_is_stolen_for_long, focus_theft::stolen);
attack!(a_hundred_thousand_windows, a_hundred_thousand_windows_for_long, window_storm::many);
attack!(a_window_waited_for_in_a_storm, a_window_waited_for_in_a_storm_for_long, window_storm::waited_for);
attack!(a_map_and_unmap_storm, a_map_and_unmap_storm_for_long, window_storm::mapped_and_unmapped);
attack!(
    a_screen_that_keeps_its_size_for_nobody,
    a_screen_that_keeps_its_size_for_nobody_for_long,
    resize_loop::resized
);
attack!(our_windows_destroyed, our_windows_destroyed_for_long, client_kill::windows_destroyed);
attack!(our_client_killed, our_client_killed_for_long, client_kill::client_killed);
attack!(every_connection_killed, every_connection_killed_for_long, client_kill::every_connection_killed);
attack!(the_camera_killed, the_camera_killed_for_long, client_kill::connections_without_windows_killed);
attack!(forged_events, forged_events_for_long, forged_events::flood);
attack!(forged_sizes_and_locks, forged_sizes_and_locks_for_long, forged_events::sizes_and_locks);
attack!(an_impostor_after_a_crash, an_impostor_after_a_crash_for_long, impostor::after_a_crash);
attack!(an_impostor_on_the_abstract_name, an_impostor_on_the_abstract_name_for_long, impostor::on_the_abstract_name);
attack!(an_impostor_while_command_ends, an_impostor_while_command_ends_for_long, impostor::while_command_ends);
attack!(a_server_that_stops, a_server_that_stops_for_long, broken_server::stopped);
attack!(a_server_at_one_byte_a_second, a_server_at_one_byte_a_second_for_long, broken_server::one_byte_a_second);
attack!(a_server_that_sends_garbage, a_server_that_sends_garbage_for_long, broken_server::garbage);
attack!(a_server_that_announces_four_gib, a_server_that_announces_four_gib_for_long, broken_server::four_gib);
attack!(a_server_that_never_stops_sending, a_server_that_never_stops_sending_for_long, broken_server::endless);
attack!(a_clipboard_owner_that_never_answers, a_clipboard_owner_that_never_answers_for_long, clipboard::silent_owner);
attack!(a_clipboard_owner_without_end, a_clipboard_owner_without_end_for_long, clipboard::endless_owner);
attack!(a_clipboard_owner_with_a_gibibyte, a_clipboard_owner_with_a_gibibyte_for_long, clipboard::gibibyte_owner);
attack!(
    a_clipboard_owner_with_one_huge_property,
    a_clipboard_owner_with_one_huge_property_for_long,
    clipboard::huge_owner
);
attack!(requestors_that_take_nothing, requestors_that_take_nothing_for_long, clipboard::greedy_requestor);
attack!(requestors_that_vanish, requestors_that_vanish_for_long, clipboard::vanishing_requestor);

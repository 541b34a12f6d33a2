"""Stories of the simulation that once ended badly, as small as they were made then.

A change of what is drawn may turn one into another story; each has a test of its own in the room
where the fault was.
"""

from __future__ import annotations

import pytest

from tests.sim.plan import plan_about, run
from tests.sim.shrink import as_found

PLANS = {
    "a walk, after lost events, while what it walks past is being applied": (
        "19832/ABCD/0,1,2,3,5,7,8,9,10,11,13/0/careful"
    ),
    "a large file that was replaced, and taken away before its device knew": (
        "704003/ABD/0,1,2,3/1/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a folder that was renamed while its device's index was damaged": (
        "910003/ABC/0,3,2000,9,10/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "two power cuts while the same file was staged": (
        "8/AB/0,3,4,5/0/slow,news_twice,watch_lost,careful,skews_s"
    ),
    "a mount is back and all that our index has below it is a folder that stood there already": (
        "702078/AB/1000,0,1,1003,13/0/lag_s,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a .lefting waits for its holder, and a folder of ours is told above its file": (
        "700953/ABC/0,1,2,3,4,5,8,9,12,13,15,17,18,19/1/watch_lost,careful,skews_s"
    ),
    "a user deletes a folder when the index is lost already and the next one is not yet open": (
        "940225/AB/1,2,4,2000,8,9/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a delete that its device forgot before the only other one had its disk back": (
        "730159/AB/3,22,25,26,28/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "a file is told again above a folder that went, and was edited elsewhere meanwhile": (
        "720208/ABCD/1000,1,2,4,5,6,8,9,19,21,23,24/0/news_twice,watch_lag_s,watch_lost,careful"
    ),
    "a user takes away what lies in a .lefting, too, which is still being fetched": (
        "714253/AB/1000,0,2,6,8,14,22,23,24/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a link is replaced, and elsewhere a folder at its path is deleted": (
        "707788/ABC/0,2,3,6,8,12,13,20,24/0/lag_s,news_twice,watch_lost,careful,skews_s"
    ),
    "a conflict copy of a link gets the name of one that was deleted by a clock that is ahead": (
        "720935/AB/0,1,2,3,4,5,6,8,9,10,11,14,18,19,20,21/0/news_lost,watch_lost,careful"
    ),
    "a link was deleted, and then a folder of its name elsewhere, before a third device heard": (
        "720208/ABCD/1000,0,1,2,4,5,6,7,8,9,10,11,12,13,21/0/news_twice,watch_lag_s,careful"
    ),
    "a link loses where the copy of another link was deleted, whose target begins as its own": (
        "66858/AB/1,3,4,5,6,9,10,16,21,25,26/0/lag_s,slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful"
    ),
    "a user makes a folder where a file was moved a moment ago": (
        "62356/AB/0,4,5,7/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a link over a folder is deleted, and the folder itself by one who was cut off": (
        "63146/ABC/0,1,8,10,11,12,15/0/lag_s,slow,news_twice,watch_lag_s,watch_lost,careful"
    ),
    "chunks of a file that is wanted no more come late, and its inode number is another's": (
        "1200902/ABCD/0,1,2,4,5,6,7,8,9/1/news_lost,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "two versions of a file are staged when an index that is locked for a while stops the folder": (
        "730756/ABC/1,2,4,5,2000,10/0/watch_lost,careful,skews_s"
    ),
    "a folder goes on while the word that it is stopped is on its way over the other link": (
        "3106/ABCD/0,1,2,4,5,6,7,2001,2004,9,11/0/skews_s"
    ),
    "what waits to be tried again is worked at, and must wait once more": (
        "3010299/ABC/0,1,3,4,14,15,2003,16,17,19,2004,27/1/slow,careful,skews_s"
    ),
    "a name of a file is another file's right after it was written through": (
        "2224/AB/0,1,2,3,4,5,11,13,14,16,17,18/0/slow,news_twice,watch_lost,careful,skews_s"
    ),
    "a folder is renamed, and those below it were deleted by one whose index comes just now": (
        "5000172/ABCD/0,1,2,3,4,5,7,8,9,13,2000,14,15,16,18/0/slow,news_lost,news_twice,"
        "watch_lost,careful,skews_s"
    ),
    "a disk is known by one file, which its user replaces while the share is not looked at": (
        "5000374/AB/1000,0,2,3,4,5,6,10,11/0/lag_s,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a ticket is ready when its path is found with what a delete took": (
        "6003888/AB/0,4006,2,3,4004,4,5,6,7/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a file is rewritten, and longer each time, between two looks": (
        "6000217/AB/0,1,6,7,9,11,12,4003,13,3000/0/slow,news_lost,news_twice,watch_lost,careful"
    ),
    "a version has its name, its flush fails for a while, and it is deleted elsewhere": (
        "6020165/AB/2,3,5,6,7/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "the same, and the share cannot be looked at meanwhile": (
        "6030590/AB/1000,0,1,2,5,6,7,10,12,2000,13,14,15,17,1002,18,19,3000,21,22/0/slow,news_lost,"
        "news_twice,watch_lag_s,watch_lost,careful"
    ),
    "a folder that came along cannot be looked into, and a file in it is spelled otherwise": (
        "6031225/AB/4000,0,3,4,6,16,18,4003,20,22/0/lag_s,slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "rotten bytes give way to a version that its only holder forgets right then": (
        "6033753/AB/0,1,2,3,2001,7,8,5000,9,10/0/news_lost,watch_lost,careful,skews_s"
    ),
    "an old version lies aside when the share cannot be looked at, and its user takes the name": (
        "6051153/AB/0,1,2,3,5,11/0/lag_s,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "the same, and the disk fails once more": (
        "6050960/AB/0,1,3,4,5,6,7,8,10/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a folder goes on, a line breaks, and the word that it is stopped comes late over the other": (
        "6051349/ABC/0,1,2,3,4,5,6,8,9,12,13,14,15,16,17,20,21,22,23,2000,24,25,27/0/news_lost,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a folder inside a respelled one is spelled otherwise before it was told under its name": (
        "6051882/AB/4000,7,9,4004,4001/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,careful"
    ),
    "a file is touched through a second name that is another file's at once": (
        "6052064/AB/5,6,7,12/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "a folder is renamed to and fro while it is looked at under its first name": (
        "6053825/AB/4000,0,1,2,4001,3,7,8,10,11,12,13,14,15,16,17,18,19,20,21,23,4002/0/slow,"
        "watch_lost,careful,skews_s"
    ),
    "the next version cannot be flushed, ours is still there, and it is deleted elsewhere": (
        "6083467/ABCD/1000,12,14,15/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "killed before the index knows, on a mount that is away when the delete is heard": (
        "6084055/AB/4000,1000,0,1,2,3,4006,4,5,6,7,8,9,10,11,12,13,4004,14,4005,1002,4007,4002,19,"
        "1001,20,21,22,23,1003,4001/0/slow,news_lost,news_twice,watch_lost,careful"
    ),
    "the copy of a file that its user closed for a moment": (
        "5000728/ABC/1,2,8/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "what is left of a version that rotted, and that nobody has any more, is told": (
        "6202074/ABC/0,2001,5000,5,7/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a folder is spelled otherwise while a .lefting lies in it": (
        "6220523/ABC/4000,0,1,2,4,5,6,4003,4001,7/0/watch_lost,careful,skews_s"
    ),
    "a flush fails, and the share is away before the look that is to tell what lies there": (
        "7503363/AB/0,1,2,3,4,5,8,9/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a .lefting gets name and inode of the one that is being thrown away": (
        "7506262/ABCD/1000,0,2,3,4,5,6,7000,8,9,11,7001,12,14,15,17,18/0/news_lost,careful,skews_s"
    ),
    "a cloned machine is switched off, and what it opened last is all that is known of the two": (
        "7506393/AB/7001,2,4,5,7,9,10,13,14,7000/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "two folders wait for one path below them": (
        "7604461/AB/0,1,8,2000,9,2001/0/news_twice,watch_lag_s,watch_lost,careful"
    ),
    "what came while the index failed gets another mode from its user before it is looked at": (
        "7707550/AB/0,1,2,6,7,8,9,10,13,2000,17,21,23/1/slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "a share is to go away when its device has lost its state and is not back yet": (
        "8002562/AB/12,13,7000/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "who deleted a folder and who was told of it forget both, and a clone has it still": (
        "8000771/AB/4,5,4001,6,7,8,2001,12,7000,2000,13,14,15,4008,19,20/0/watch_lost,careful,"
        "skews_s"
    ),
    "the index fails after a conflict, and what won is renamed elsewhere before it is looked at": (
        "8003706/AB/3,6,2000,7,8,2001,10,13/0/slow,news_lost,news_twice,watch_lost,careful"
    ),
    "a file in a folder that is deleted elsewhere is written all the time": (
        "6220999/ABCD/0,3001,4007,18,2000,4005,4004,21/0/slow,news_lost,news_twice,watch_lost,"
        "careful"
    ),
    "what came along with a respelled folder is not wanted yet, and then it is": (
        "8002088/ABCD/4000,0,1,2,3,4,6,4003,7,8,4006/0/news_lost,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "a folder is moved while the one in it is being removed, as elsewhere": (
        "8002761/AB/0,2,3,5,2000,7,8,10,11,12,14,15,18,19,20,21/0/slow,news_lost,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a file is touched while what another one touched is flushed": (
        "8054941/ABC/20,25,26,29,30/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "what waits for room is forgotten by the only one who had it": (
        "8051912/ABC/6000,0,1,2,3,4005,4,5,6,11,13,14,15,4002,16,17,4001,18,20,23,27,28/1/slow,"
        "news_lost,news_twice,watch_lost,careful"
    ),
    "another spelling goes no more while what is to come in its place arrives": (
        "893337/AB/4000,0,4002,3,4,5,6,8,4008,4001,4004,4005,4007,4006,11,12/0/slow,news_lost,"
        "watch_lost,careful,skews_s"
    ),
    "a folder is built into a new index, found twice, and was deleted elsewhere": (
        "897166/AB/0,1,2,3,4,5,6,5002,9,4006,11,12,4008,16,2000/0/news_lost,watch_lag_s,careful,"
        "skews_s"
    ),
    "a folder that was found, and was to go, is kept, and its next version comes": (
        "8350483/ABC/1000,0,1,3,4,5,6,7,8,9,10,12,2000,13,15,16,17,18,19,20,3000,21,22,2001,23,24,"
        "25,26/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "killed after an exchange, and its user moves what came before the next start": (
        "8350517/AB/0,1,2,3,11,12,13,16/0/slow,news_lost,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a machine is cloned whose index was never written": (
        "8353586/AB/0,1,2,3,2003,2000,3000,4,2004,2001,5,6,7,7000,7001,2002/0/slow,news_lost,"
        "watch_lost,careful"
    ),
    "what is in a folder is told before it, and then a file has the folder's name": (
        "898894/ABC/0,10,16,19/0/lag_s,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "another disk lies where a mount is known of which the index has nothing yet": (
        "8301280/ABCD/1000,1,3,2000,1001,13/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "the same, and a power cut takes back what the index had of it": (
        "8301280/ABCD/1000,1,3,4,2000,1001,13/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a folder is moved away, and forgotten, by the one who kept it above an older delete": (
        "894023/AB/0,1,3,5,6,7,8,9,10,11,13,14,18,21,22,26/0/slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "a file is to be moved to where another one came along with a respelled folder": (
        "8351677/AB/4000,0,1,6,7,11,4003,4004,4007/0/slow,news_lost,watch_lost,careful,skews_s"
    ),
    "the same, and three devices": (
        "8700573/ABC/4000,0,1,6,7,4001,8,9,4004,11/0/slow,news_lost,news_twice,watch_lost,careful"
    ),
    "a name is back with its folder when another name of its file is found": (
        "8351677/AB/4000,0,1,5,6,4005,4001,7,8,10,4006,11,4003,4004,4007/0/lag_s,slow,news_lost,"
        "news_twice,watch_lost,careful,skews_s"
    ),
    "the index fails before the walk that finds a .lefting in a renamed folder": (
        "8701780/ABC/1,2,4,5,2000/0/news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "the folder of a .lefting is renamed, and another one gets its name in a new folder": (
        "8302369/ABC/0,1,2,2000,5,6,7/1/slow,news_lost,news_twice,watch_lag_s,watch_lost,careful"
    ),
    "a folder is kept for a file whose move its device forgot, and the file goes later": (
        "9005509/AB/0,1,2,4,7,8,10,11,2002,2004,13,15,19,21/0/slow,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "a power cut takes all that the index has of a mount, of which no walk saw the rest settle": (
        "9001764/ABC/1000,3,4,9/0/slow,news_lost,news_twice,watch_lost,skews_s"
    ),
    "a folder that was held as gone is back with the one above it, and then is renamed": (
        "9004705/AB/4000,0,1,2,3,5,6,4008,4001,4003/0/slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a power cut while a folder is opened anew whose index got more since its last flush": (
        "9006781/AB/1,3,9,10,13/0/lag_s,slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "the power fails when a file left its folder, and its new one in the trash has no name": (
        "9006747/AB/7,8,9,13,20,22,23,5000,24/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a user takes the name of a conflict copy on a mount that is away": (
        "9007402/AB/1000,3,4,7,1002/0/slow,watch_lost,careful,skews_s"
    ),
    "a mount goes away with a file on it that is being written, and is back": (
        "9230483/AB/1000,0,1,2,4,6,3000,7,8,1001,12/1/news_twice,careful"
    ),
    "a user makes a folder at the name of a conflict copy that was put there in this instant": (
        "9012145/ABCD/1,3,4,5/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a folder is found that was deleted, and another device makes it again before it goes": (
        "9007704/ABCD/0,1,3,4,5,6,7,10,12,13,14,15/1/slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,skews_s"
    ),
    "a renamed folder with a .lefting is walked while one of the same name is made in it": (
        "9530598/ABCD/0,1,2,3,4002,4001,4,5,4003,4004/0/news_lost,careful,skews_s"
    ),
    "killed when a folder was made on a mount that is away at the start, and deleted elsewhere": (
        "9100147/AB/1000,0,1,3,4,1001,8/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a respelled folder is made before it is considered that its other spelling is gone": (
        "9604527/AB/4000,0,1,2,4,5,6,4002,4003,4001/0/news_twice,watch_lost,careful,skews_s"
    ),
    "a folder is renamed to and fro during the first walk, and others gave its first name up": (
        "9701265/AB/4000,1,2,4007,4005,4004/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "on a disk that folds names, a folder's other spelling goes right before the folder is made": (
        "9604744/AB/4000,0,1,5,8,4008,9,4007,4004,10,11,4005,4006,12,15,16/1/slow,news_lost,"
        "news_twice,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a disk that folds names has no memory for a look at a .lefting, nor for taking it back": (
        "9606748/AB/4000,0,1,2,3,4,5,6,4002/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "a folder is found that was deleted, and what is in it is found at the end of its walk": (
        "9703129/AB/0,1,2,5,6,2003,11,12,2000,17,18,2002,26/0/lag_s,slow,news_lost,news_twice,"
        "watch_lost,careful"
    ),
    "a job stops its folder after its first .lefting, and a user renames the folder of that": (
        "9707108/ABC/6,7,10,21,22,24,25/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "stopped when a link has a file's place and not yet its row, and then it is taken away": (
        "9740236/AB/0,1,4,5,6,7,8,9,10,11,12,14,15,18/0/slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a backup is made between the adding of a folder and its opening": (
        "10001895/ABC/10000,7/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a folder is renamed to and fro, and a file in it is looked at twice before it is back": (
        "897471/AB/4000,0,1,4004,4001/0/news_lost,watch_lag_s,careful,skews_s"
    ),
    "bits turn back while what a user made of the file is just arriving elsewhere": (
        "10009830/ABCD/0,1,2,3,4,8,9,5001,12,15,16/0/news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a folder is renamed between the naming of a file in it and its flush; the power fails later": (
        "10009999/ABCD/1000,0,1,2,3,4,5,8,10,11,12,13,16,17/0/slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a backup from before another device's mount came is restored": (
        "11108925/AB/1000,7,11/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a look takes seconds, and what another device did at the same paths is told bit by bit": (
        "16100351/ABC/1,4008,4004/0/news_lost,careful,skews_s"
    ),
    "a folder waits for the one above while the two lives of a cloned machine tell of it in turn": (
        "16007545/ABCD/10000,0,1,4,5,6,7,7001,8,9/0/slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "a link takes the place of a folder and is deleted, where something is ignored in the folder": (
        "12010564/ABC/12000,0,1,2,3,12004,12,14,18/0/lag_s,slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "what was ignored in a folder that is deleted elsewhere is moved out of it": (
        "12010064/AB/12000,4,12101,12004,12006,11,15/0/news_lost,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "an ignored file is written to on and on": (
        "12010484/AB/12000,12001,3000/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a device is in again, and is removed once more before its folder is opened": (
        "17002989/ABC/11000,0,1,3,4,5,7,11001,11004,9,10,11,11003,11002/0/news_twice,careful,skews_s"
    ),
    "a file gets a second name, which is ignored, and is written to through that": (
        "17003084/AB/12000,0,12002,4,12006/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "one word lets a device in again and removes another one, and both are connected": (
        "17101959/ABCD/11000,10000,3,5,6,11300,11011,11005,11007,11009,11010/0/slow,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a conflict copy is ignored, as its file is, and what it is a copy of was replaced elsewhere": (
        "17101314/ABCD/12000,0,2,3,4,12100,12011/0/lag_s,slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "a folder above one that is being made is renamed, and what came along is renamed once more": (
        "17002402/AB/4000,0,1,3,4,6,7,9/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,careful,"
        "skews_s"
    ),
    "a word that rests for who withdrew something, and its line breaks meanwhile": (
        "18100124/ABC/12000,1000,1,2,3,6,7,8,13,14,12006,7000,1001,12001,12002/0/slow,news_twice,"
        "careful,skews_s"
    ),
    "a file is ignored and written to, of which another name was deleted elsewhere": (
        "12030974/ABC/12000,1,6,7,12,13,14,16,24,12005,12003/0/slow,news_lost,news_twice,"
        "watch_lost,careful"
    ),
    "a file is wanted, and a folder comes in its place, which is ignored as a folder alone": (
        "18101294/AB/12000,1,4,5,2001,9,12001/0/slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "the index is damaged while a job puts a version there, which is replaced elsewhere": (
        "18102908/ABC/4000,0,1,2,3,5,6,7,8,10,11,12,13,14,2004,15,17/0/slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful"
    ),
    "one leaves, a disk keeps no secret of the next epoch, and the third device is a stranger": (
        "20001119/ABC/11000,11100,11102,1000,2,11,11200,11008,11002/0/lag_s,slow,news_lost,"
        "news_twice,watch_lost,careful,skews_s"
    ),
    "a line breaks and is back, and what is said of members is there before the welcome": (
        "20503809/ABC/11000,11102,10000,0,3,2000,11200,5,7,11005,11004/0/news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a rotten file is not given, its bit turns back, and it is deleted elsewhere": (
        "20008149/ABC/11000,1,3,5,6,10,5001/0/news_twice,watch_lost,careful,skews_s"
    ),
    "the same, and its user restores it from a backup, which is not looked at yet": (
        "20008149/ABC/11000,1,3,5,6,10,5001/0/lag_s,news_twice,watch_lost,careful,skews_s"
    ),
    "a device is killed in the midst of its join, by one who is no root, and greets that one": (
        "18000129/ABC/11000,11100,11101,11201,11002,11003/0/lag_s,slow,news_lost,news_twice,"
        "watch_lost,careful,skews_s"
    ),
    "what was being received, and is ignored since, is in the trash of who was killed with it": (
        "20003134/AB/12000,0,1,2,3,4,12005,12001,12002,12003/0/news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a file is touched in a folder that only a receiver between two keeps, and is told to nobody": (
        "20500856/ABC/13000,4,6,14/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a receiver gives a file up, and hears then that the others deleted what is to come": (
        "20000936/AB/13000,1,7,3001,8,13001,13002/0/slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "the index of a receiver fails while it removes what was given up": (
        "20501656/ABC/13000,2,3,2003,13001/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "all others forget a delete, and make a folder there, where a receiver kept its file": (
        "20005716/AB/13000,3,6,10,13012,2000,13/0/lag_s,slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "what a receiver alone keeps in a folder was edited and deleted before that became a link": (
        "20506656/AB/13000,0,2,3,22,23/0/news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "the folder of a file of rules is deleted, and the power goes before these rules end": (
        "20004484/ABC/12000,0,14,12001,16,12007,22,25/0/slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "a file is kept again where its user put a folder that is ignored meanwhile": (
        "20507834/ABC/12000,0,5,6,12100,12101,8,12003,16,18/0/lag_s,slow,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a link takes the place of a folder in which something is ignored, which is looked at": (
        "12101534/ABC/12000,10000,0,1,3,4,6,7,8,12002,11/1/slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "a file gets a second name and is written to by it, where nobody else keeps the first one": (
        "20009154/AB/12000,0,2,12100,14,23,24/0/lag_s,slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "rules change while an agent is down that knew of files which are not where they were made": (
        "20006074/AB/12000,1000,0,1,4,6,9,12001/0/news_twice,watch_lost,careful,skews_s"
    ),
    "who ends a rule for all goes on to ignore by one of his own what another one keeps secret": (
        "20007654/AB/12000,0,1,2,3,4,12100,5,6,12006,12002,12004/0/lag_s,slow,news_lost,"
        "news_twice,watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a file turns into a folder with ignored things in the instant in which it is moved aside": (
        "20506014/AB/12000,9000,0,1,2,3,12100,5,12002,7,8,11/0/lag_s,slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful,skews_s"
    ),
    "a receiver's user put a file where one deleted a folder that another one fills": (
        "12410046/ABC/13000,0,1,4,5,21,22,23/1/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a large file in the place of a folder is read and walked into again and again": (
        "40950727/ABCD/4000,0,3,4,5,4007,6,4004/1/slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "a receiver between two who do not agree starts, and hears first of who has what it has": (
        "41101226/ABCD/13000,1,2,3,4,5,6,7,8,10,15,16,24,27,28,13002,31,32,13008/0/watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a user makes a folder anew for a file that he does not write, where he renamed one": (
        "41005706/AB/13000,3,4,8,14,13010/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "a folder that stayed for what was ignored in it gets another mode, and is a folder again": (
        "43322484/ABC/12000,0,12101,3,6,17,22/0/lag_s,slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "others put a file in the place of a folder that holds something ignored, with its rules": (
        "12800794/AB/12000,0,12004,16,17,23/0/lag_s,slow,news_lost,news_twice,watch_lost,careful,"
        "skews_s"
    ),
    "what came along with a respelled folder was deleted meanwhile, and one has it still": (
        "43322289/ABC/11000,4000,0,2,3,4,5,6,11001,8,4001,11007/1/slow,news_lost,news_twice,"
        "watch_lag_s,watch_lost,careful"
    ),
    "what is ignored lies in the way of a folder, and what is to come into that says so": (
        "43321354/AB/12000,2,3,4,5,12003,13,14/0/lag_s,slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a folder stays with its rules for what they ignore, and something else is put into it": (
        "41101334/ABC/12000,0,1,12100,6,12002,22,28/0/slow,news_lost,news_twice,watch_lost,"
        "careful,skews_s"
    ),
    "rules take a file out of sync on all devices while one of them wants its rotten one back": (
        "45000404/ABCD/12000,0,1,2,12003,5003,12004/0/slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "a receiver deleted the folder that another one's lost index knew to be deleted": (
        "47000216/AB/13000,1,2004,2,13005,13006/0/lag_s,slow,news_twice,watch_lost,careful,skews_s"
    ),
    "one wants a rotten file back, who has it is put out, and another one has an older version": (
        "49000429/ABC/11000,19001,0,1,2,3,4,5,6,7,8,9,19102,11001,19101,19103,11,5001,11002/0/"
        "watch_lost,careful,skews_s"
    ),
    "a folder is dropped at once on the two devices that have it": (
        "137/AB/15000,0,15004/0/slow,news_lost,news_twice,watch_lost,careful,skews_s"
    ),
    "a file is dropped while it is being fetched from devices that drop it, too": (
        "1963/ABC/15000,17000,17100,7,15009,15003/0/slow,news_lost,watch_lag_s,watch_lost"
    ),
    "what is not kept was deleted elsewhere with another mode": (
        "2832/AB/15000,15101,10,15004,18,19,20,21/0/slow,news_lost,news_twice,watch_lost,careful"
    ),
    "who only sends makes a file in a folder that others deleted, while its folder is paused": (
        "185/ABC/16000,1,16002,14001,7/0/slow,news_lost,news_twice,watch_lag_s,watch_lost,"
        "careful,skews_s"
    ),
    "a path is overridden in a folder that others deleted": (
        "40082/AB/16000,1,2,6,16004,16001/0/lag_s,slow,news_lost,news_twice,watch_lag_s,"
        "watch_lost,careful,skews_s"
    ),
    "an ignored spelling lies in the way of a folder, where a disk folds names": (
        "30064/AB/4003,12000,17000,17100,4000,0,4001,12100,4,5,6,7,15,16,12009,4002,17001,"
        "12010/0/slow,watch_lost,careful"
    ),
}
DISKS = {
    920064: "what another disk holds, put in the place of a mount, is told as ours",
    920274: "the same, and it becomes a conflict copy",
    920636: "what others have is written on another disk",
    920677: "what another disk holds reaches a device two lines away",
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_story_that_ended_badly(plan: str) -> None:
    assert run(as_found(plan)).broken is None


@pytest.mark.parametrize("seed", DISKS, ids=DISKS.get)
def test_another_disk_in_the_place_of_a_mount(seed: int) -> None:
    assert run(plan_about(seed, ())).broken is None
